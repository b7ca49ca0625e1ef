"""A push when training ends or fails: Trainer(callbacks=[NotifydCallback()])."""

from contextlib import suppress

from lightning.pytorch import Callback

from notifyd import NotifydError, send


class NotifydCallback(Callback):
    def __init__(self, name="training"):
        self.name = name

    def notify(self, trainer, body, what, priority="default"):
        if trainer.is_global_zero:
            where = f"epoch {trainer.current_epoch}, step {trainer.global_step}"
            metrics = {"metrics": dict(trainer.callback_metrics)}
            with suppress(NotifydError):  # training goes on
                send(
                    f"{where}\n{body}", title=f"{self.name} {what}", priority=priority, data=metrics
                )

    def on_train_end(self, trainer, pl_module):
        self.notify(trainer, "", "finished")

    def on_exception(self, trainer, pl_module, exception):
        self.notify(trainer, repr(exception), "failed", priority="high")
