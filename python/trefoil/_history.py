"""What a training says while it goes on."""

import json

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


def follow(run, metric, epochs, verbose):
    """Follows a training to its end, and gives its model, a row for each epoch: a dict of its figures and of what it took; and all figures of the last.

    Whatever ends this early, Ctrl-C for one, ends the training too.
    """
    rows, figures = [], []
    held_out = "validation_" if metric.startswith("validation_") else ""
    bar = tqdm(total=epochs, unit="epoch", desc="training") if verbose and tqdm else None
    try:
        for event in run:
            if isinstance(event, dict):
                event[metric] = event.pop("metric")
                figures = json.loads(event["figures"])
                # The first one is the metric itself.
                more = {held_out + figure["metric"].replace("-", "_"): figure["value"] for figure in figures[1:]}
                took = {key: event[key] for key in ("seconds", "bytes", "rounds")}
                row = {"epoch": event["epoch"], "loss": event["loss"], metric: event[metric], **more, **took}
                rows.append(row)
                if bar is not None:
                    bar.n = row["epoch"]
                    bar.set_postfix({"loss": f"{row['loss']:.4f}", metric: f"{row[metric]:.4f}"})
                elif verbose:
                    print(f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.4f}, {metric} {row[metric]:.4f}")
            elif bar is not None:
                step, steps = event
                bar.n = round(epochs * step / steps, 1)
                bar.update(0)
        return run.model(), rows, figures
    finally:
        run.stop()
        if bar is not None:
            bar.close()


def frame(rows):
    """Rows as a pandas data frame, or where there is no pandas as a dict of lists."""
    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    try:
        from pandas import DataFrame
    except ImportError:
        return columns
    return DataFrame(columns)


def plot(history, axes=None):
    """Draws the loss by epoch, and beside it the other figure, on two axes of matplotlib; new ones where none are given."""
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots(1, 2, figsize=(8, 3), layout="constrained")[1]
    for ax, figure in zip(axes, list(history)[1:3]):
        ax.plot(list(history["epoch"]), list(history[figure]), marker="o")
        ax.set(xlabel="epoch", ylabel=figure.replace("_", " "))
    return axes
