"""A backend of the protocol on Starlette, uvicorn and sse-starlette; start reading at `app`."""
