"""`inkgan serve`: a model's page and its images over HTTP. It holds parameters, responses, limits and the server.

FastAPI, uvicorn and prometheus-client come with the extra ``serve``.
"""
