"""`inkgan serve`: a model's page and its images over HTTP, with parameters, responses, limits and the server.

FastAPI, uvicorn and prometheus-client come with the extra ``serve``. It may import the base, data,
networks, runs, generation, evaluation, training and exporting.
"""
