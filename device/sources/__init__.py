"""Where samples come from: ports, network, stored records, the synthetic heart."""
