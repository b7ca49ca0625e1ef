"""A push when training ends or its loss is not finite: Trainer(callbacks=[NotifydCallback()])."""

import math
from contextlib import suppress

from transformers import TrainerCallback

from notifyd import NotifydError, send


class NotifydCallback(TrainerCallback):
    def __init__(self, name="training"):
        self.name, self.logs, self.is_finite = name, {}, True

    def notify(self, state, what, **options):
        if state.is_world_process_zero:
            with suppress(NotifydError):  # training goes on
                send(f"step {state.global_step}", title=f"{self.name} {what}", **options)

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs = logs or {}
        if self.is_finite and not math.isfinite(self.logs.get("loss", 0.0)):
            self.is_finite = False
            self.notify(state, "diverged", priority="high", data={"logs": self.logs})

    def on_train_end(self, args, state, control, **kwargs):
        self.notify(state, "finished", data={"logs": self.logs})
