"""The twelve-lead page: content, geometry in millimetres, and drawing. One layout for every place that prints."""
