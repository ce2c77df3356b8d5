"""A small web application to build an image from."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "Hello from an image built without a Docker daemon\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)  # noqa: S104 - a container is reached from outside itself
