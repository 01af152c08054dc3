"""`inkgan serve`: a model's page and its images over HTTP. It holds questions, answers, bounds and the server.

It may import every wing but ``cli``; FastAPI, uvicorn and prometheus-client come with the extra ``serve``.
"""
