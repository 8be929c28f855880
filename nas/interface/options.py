"""Options of a search and of a retraining, named as the flags of nas.py and main.py are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from nas.data.preparation import Resize
from nas.interface.recipe_options import RecipeOptions


class ImageOptions(TypedDict, total=False):
    """What every search and retraining may be asked for: images, chance, precision, workers.

    Attributes:
        sample: Embedded sample in place of images: `letters` (default) or `trigger`; that of a run
            for a run.
        image_size: Height and width in pixels; default: the images' own. Beside a network that is
            given it must be the network's.
        skip_bad_images: Go on without files that cannot be decoded.
        resize: `squeeze` (default), `crop` or `pad`: what becomes of images that are not square.
        verify_data: Compare the contents of all files with those that were decoded.
        seed: Of weights, dropout, draws and data order, 0 or more; default 0.
        smoke: Toy size: every stage runs, and its figures mean nothing.
        mixed_precision: `none`, `float16` or `bfloat16`: what products are computed in.
        workers: Trainings at a time, 1 or more, each in a process of its own; default: on a
            cluster as many as it has room for, of trials one a core and 4 at most, else all in
            this program, one by one.
        executor: Where workers run: `local` (default), or `ray` for the nodes of a cluster.
        ray_address: Of the Ray cluster: `auto` (default), `local`, HOST:PORT or ray://HOST:PORT.
        worker_cpus: Cores of each worker of a cluster, above 0; default 1.
        worker_gpus: GPUs of each worker of a cluster, 0 or more; default 0.
        worker_memory_bytes: Main memory that each worker of a cluster reserves; default: none.
    """

    sample: str
    image_size: int
    skip_bad_images: bool
    resize: Resize
    verify_data: bool
    seed: int
    smoke: bool
    mixed_precision: str
    workers: int
    executor: str
    ray_address: str
    worker_cpus: float
    worker_gpus: float
    worker_memory_bytes: int


class SpaceOptions(ImageOptions, total=False):
    """What every search may be asked for beside its images: of its space and its limits.

    Attributes:
        flip: Mirror images at random; default: yes, but not for the sample.
        bits: Bits that blocks choose from, for weights and for what they read, such as `"8,4"`:
            1 to 8, or 32 for float32; default: all is float32.
        end_bits: Bits of the first convolution, the head and the classifier beside `bits`; default
            8.
        blocks: Python files with blocks of a user's own.
        table: File of a latency table; default: this host's cache.
        device: Name of another device that the table is of.
        latency_device: Name of a device that hangs on a node of a cluster, with `executor` `ray`:
            its table is measured there. Offer it by `ray start --resources
            '{"device:NAME": 1}'`.
        max_params: Most trainable parameters.
        max_macs: Most multiply-adds of one image.
        max_size_bytes: Most bytes of weights.
        max_memory_bytes: Most bytes of activations that are alive at once, for one image.
        max_weight_bits: Most bits of kernels, each number in its format.
        max_bops: Most bit operations: multiply-adds times the bits of both factors.
    """

    flip: bool
    bits: str
    end_bits: int
    blocks: Sequence[str]
    table: str
    device: str
    latency_device: str
    max_params: int
    max_macs: int
    max_size_bytes: int
    max_memory_bytes: int
    max_weight_bits: int
    max_bops: int


class SearchOptions(SpaceOptions, total=False):
    """What a search may be asked for beside its goal and folder; each has a default.

    Attributes:
        data_parallel: Divide batches over all devices (KERAS_BACKEND=jax), two or more; a batch
            must be a multiple of their number.
        coordinator: HOST:PORT at which the processes of other hosts find this one, with
            `data_parallel`; see docs/scaling.md.
        processes: That train together, this one among them, one a host, 2 or more.
        method: `gradient` (default), `evolution` or `random`.
        gate: `categorical` (default) or `threshold`: form of the gates.
        execution: `sampled` or `masked`: how weight steps run the supernet.
        supernet: Folder of a run whose trained supernet an evolution uses.
        proposals: Networks that the gates propose and the supernet scores; 0: the gates choose.
        race: Candidates that train alone, 2 or more; default: no race.
        race_epochs: Epochs of the race's last round.
        search_epochs: Passes over the images in the search.
        batch_size: Images a step, 2 or more.
        learning_rate: Peak learning rate of the supernet's weights, used as it is; default:
            0.004 for the batches of the job's size, and by the root of the ratio for others.
        gate_learning_rate: Adam's rate for the gates, used as it is; default: 0.03, likewise.
        random_networks: Random networks of equal milliseconds, or of an equal count where the goal
            is one, to compare with.
        target_bops: Bit operations to land on in the place of milliseconds, or a part of the
            space's range such as `"25%"`; several make a sweep.
        target_weight_bits: Likewise bits of the kernels.
        quantity: What the penalty is the price of: `ms` (default), `bops` or `weight_bits`.
    """

    data_parallel: bool
    coordinator: str
    processes: int
    method: str
    gate: str
    execution: str
    supernet: str
    proposals: int
    race: int
    race_epochs: float
    search_epochs: float
    batch_size: int
    learning_rate: float
    gate_learning_rate: float
    random_networks: int
    target_bops: float | str | Iterable[float | str]
    target_weight_bits: float | str | Iterable[float | str]
    quantity: str


class TrialOptions(SpaceOptions, total=False):
    """What a search by trials may be asked for beside `nas.tune`'s arguments.

    Attributes:
        budgets: Further limits, such as `["ms<=0.5", "top1>=0.9"]`.
        max_epochs: Epochs of a whole training, above 0; default: the recipe's.
        reduction: One trial in so many goes on at each rung, 2 or more; default 4.
        rungs: Lengths that trials are compared at, 1 or more; default: as many as there are trials
            and epochs for, up to 5.
        tune: Knobs that trials differ in, such as `learning_rate=log[1e-3,1],batch_size={64,128}`.
        sampler: Where configurations come from: `random` (default), `tpe`, `evolution` or `grid`.
        first_trial: `original` for the original that trials stand beside, such as the published
            network of the space; default `sampled`, as the sampler proposes.
        storage: `sqlite` (default) or `journal`.
        rung_weights: Which weights rungs are judged by: their `average` (default) or the `last`.
        seeds: Whole trainings of the best trial at the end, 1 or more, its own among them and the
            others with the seeds that follow; default 1.
        metrics: What whole trainings are judged by on the evaluation images beside objectives,
            each with a goal behind it if there is one, as `top1>=0.9`; they choose nothing.
        signal_class: Name or index of the class that metrics such as `auc` look for; default: the
            second of two.
        background_rate_hz: Background images that come a second, for `tpr_at_rate`, above 0;
            default: that of the sample, if it has one.
    """

    budgets: str | Sequence[str]
    max_epochs: float
    reduction: int
    rungs: int
    tune: str
    sampler: str
    first_trial: str
    storage: str
    rung_weights: str
    seeds: int
    metrics: str | Sequence[str]
    signal_class: str | int
    background_rate_hz: float


class RetrainOptions(ImageOptions, RecipeOptions, total=False):
    """What a retraining may be asked for, beside the knobs of its recipe; each has a default.

    Attributes:
        data_parallel: Divide batches over all devices (KERAS_BACKEND=jax), two or more; a batch
            must be a multiple of their number.
        coordinator: HOST:PORT at which the processes of other hosts find this one, with
            `data_parallel`; see docs/scaling.md.
        processes: That train together, this one among them, one a host, 2 or more.
        recipe: Named recipe to begin with; default: that of the images' kind. Knobs that are
            given change single values of it; see `RecipeOptions`.
        baselines: Train the largest, a uniform and random networks too.
        largest: The largest network among the baselines; default: yes.
        inherit: Start from the supernet's weights instead of random ones; default: no, but yes for
            the networks of a sweep whose method trains a supernet.
        blocks: Python files with the blocks of a network that is given.
        find_learning_rate: Try rising learning rates on the network and stop; the run's folder
            has the curve and its picture then.
        restart: Forget an earlier training of the run.
        export: Further files of the trained network beside model.onnx and model.keras: `int8`,
            `litert`; a run that is trained already trains nothing anew for them.
        int8_blocks: `auto` chooses which blocks run as int8 by their milliseconds on this device
            and by accuracy on training images, and adds the files of `int8` and of this choice.
        calibration_images: Training images that int8 is calibrated on; default 200, or all.
        seeds: Trainings of each network, 1 or more, with `seed` and those that follow; default 1.
            More than a run has go on with it; the first training is the one that is exported.
        goal_top1: Share of the evaluation images, above 0 and up to 1, of which it is told how
            many of the trainings reach it; it changes nothing that is trained.
        metrics: What trained networks are judged by beside top-1 and top-5, on the evaluation
            images: `auc`, `tpr_at_fpr=0.01`, `tpr_at_rate=10kHz`, `top1`, `top5`,
            `cross_entropy`, each with a goal behind it if there is one, as `auc>=0.95`; they change
            nothing that is trained.
        select_by: One of these metrics that chooses between the last weights and their average on
            held-out training images, with `evaluate_every`; default: top-1.
        signal_class: Name or index of the class that these look for; default: the second of two.
        background_rate_hz: Background images that come a second, for `tpr_at_rate`, above 0;
            default: that of the sample, if it has one.
    """

    data_parallel: bool
    coordinator: str
    processes: int
    recipe: str
    baselines: bool
    largest: bool
    inherit: bool
    blocks: Sequence[str]
    find_learning_rate: bool
    restart: bool
    export: str | Sequence[str]
    int8_blocks: str
    calibration_images: int
    seeds: int
    goal_top1: float
    metrics: str | Sequence[str]
    select_by: str
    signal_class: str | int
    background_rate_hz: float
