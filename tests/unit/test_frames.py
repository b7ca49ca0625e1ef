"""Where an exception was raised: the last frame of a person's own code."""

import pytest

from notifyd.text.frames import last_own_frame

PYTHON = """\
Traceback (most recent call last):
  File "/app/load.py", line 3, in read
    return table[key]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 9, in <module>
    train()
  File "/app/train.py", line 42, in step
    loss.backward()
    ~~~~~~~~~~~~~^^
  File "/venv/lib/python3.11/site-packages/torch/_tensor.py", line 525, in backward
    torch.autograd.backward(
torch.OutOfMemoryError: CUDA out of memory
"""
JAVA = """\
java.lang.IllegalStateException: cannot start
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat org.springframework.boot.Run.call(Run.java:7)
\tat com.example.App.start(App.java:21)
\tat com.example.App.main(App.java:9)
Caused by: java.io.IOException: disk full
\tat com.example.Store.open(Store.java:77)
"""
NODE = """\
TypeError: x is not a function
    at node:internal/util:1:2
    at /app/node_modules/express/lib/router.js:9:3
    at async handle (/app/src/api.js:12:11)
    at Object.<anonymous> (/app/server.js:3:9)
"""
GO = """\
panic: boom

goroutine 1 [running]:
panic({0x1, 0x2})
\t/usr/local/go/src/runtime/panic.go:770 +0x132
example.com/shop/api.(*Server).handle(0x1, {0xc000012, 0x3})
\t/app/api/server.go:12 +0x1d
main.main()
\t/app/main.go:5 +0x20
"""


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (PYTHON, "train.py:42 in step"),
        (PYTHON.partition("During")[0], "load.py:3 in read"),
        ('Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n', "a.py:3"),
        ('  File "/usr/lib/python3.11/json/x.py", line 3, in loads\n', "x.py:3 in loads"),
        ('  |   File "t.py", line 1, in <module>\n', "t.py:1"),
        ('  File "C:\\app\\train.py", line 3, in f\n', "train.py:3 in f"),
        (JAVA, "App.java:21 in App.start"),
        (NODE, "api.js:12 in handle"),
        (GO, "server.go:12 in api.(*Server).handle"),
        ("ERROR at work (soon): 3", ""),
        ('  File "a.py", line 3, in ' + "x" * 100, "a.py:3"),
        ("", ""),
    ],
)
def test_the_last_own_frame(text, frame):
    assert last_own_frame(text) == frame
