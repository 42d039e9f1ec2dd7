"""What is wrong now, or was: incidents, drift, alerts, and the figures of the overview."""
