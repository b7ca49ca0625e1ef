"""A Notifications API server of our own, with an inbox page, for when there is no platform.

server.py is the way in; routes.py is the API, inbox.py the page and its event stream.
"""
