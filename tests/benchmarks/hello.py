"""The smallest Flask application, to compare with; it does nothing with the body."""

from flask import Flask

app = Flask(__name__)


@app.post("/webhooks/<channel>")
def hello(channel: str) -> str:
    """Say hello."""
    return "Hello, World!"
