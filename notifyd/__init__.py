"""notifyd: what happens in a workspace while nobody watches, told to a phone.

sources/ --Event--> triggers/ --Match--> shaping/ --Notification--> outbox/ --> delivery/
   logs                select,             debounce,                 SQLite:      rate, retry,
   files               fields,             group, threshold,         positions,   token state
   processes           text                cooldown, budget          state, rows      |
   api/ (socket) ---------------------------^   <----------------- outcomes ----------+

Start reading in pipeline.py.
"""

__version__ = "0.1.0"
