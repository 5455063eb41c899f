"""Many networks at once on one GPU: steps that are drawn, learnt and averaged there, captured and replayed."""
