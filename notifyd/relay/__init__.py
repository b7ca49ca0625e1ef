"""A Notifications API server with an inbox page, for use without the platform.

server.py opens it; routes.py is the API, inbox.py the page and its event stream.
"""
