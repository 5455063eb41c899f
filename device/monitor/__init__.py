"""The monitor in a browser: HTTP front door, hub, frames and the page itself."""
