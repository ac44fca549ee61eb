"""What the bridge tells of itself: metrics, logs, health."""
