"""What a deployment can set, and how it logs. Imports nothing of ours."""
