"""The fold: what to tell, when, and what to send next. Pure: no asyncio, no clock, no disk."""
