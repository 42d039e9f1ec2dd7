"""Who may come in, and what they asked for, brought and did."""
