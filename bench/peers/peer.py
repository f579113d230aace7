"""What every peer script shares: settings from argv, one repeat per line of standard input, one JSON line out."""
import json
import sys
import time
import traceback


def settings():
    """The shapes come from bench/ (TypeScript), so that both sides always run the same ones."""
    return json.loads(sys.argv[1])


# Libraries print to standard output now and then; the protocol keeps the real one for itself.
_answers = sys.stdout
sys.stdout = sys.stderr


def say(**answer):
    _answers.write(json.dumps(answer) + "\n")
    _answers.flush()


def wait():
    """The next request, or None when the parent has closed the pipe."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else None


def serve(repeat, **facts):
    """Runs `repeat(request)` for each line; it may return its own seconds or leave the timing to us. One that fails, for want
    of memory say, does not end the process."""
    say(ready=True, **facts)
    while (request := wait()) is not None:
        start = time.perf_counter()
        try:
            own = repeat(request)
        except Exception as error:
            traceback.print_exc()
            say(error=f"{type(error).__name__}: {error}")
            continue
        say(seconds=own if own is not None else time.perf_counter() - start)
