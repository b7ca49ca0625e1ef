"""notifyd: watches a workspace and delivers push notifications.

sources/ --Event--> triggers/ --Match--> engine/ --Commit--> outbox/ --> delivery/
  logs, journal       group,             step() in           SQLite:       rate, retry,
  files               text               shaping/            rows, state,  token
  processes                                 ^                checkpoints      |
  schedule                                  |                                 |
api/ (socket) --Submitted, Cancelled--------+-----------Outcome---------------+

Start with engine/pipeline.py; ARCHITECTURE.md explains the whole.
"""

__version__ = "0.1.0"
