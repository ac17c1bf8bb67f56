"""The tasks: noises at one level each that methods are measured on, and that specialists are trained for.

A new task is a record in `TASK_RECORDS`: commands, app, cards and tables have it by that.
"""

from dataclasses import dataclass

from fer_denoise.noise.laboratory import GaussianNoise, SaltAndPepperNoise


@dataclass(frozen=True)
class Task:
    """A noise at one level, how it is called, and where the app's sliders stand for it."""

    key: str
    """Names the task in commands, links, training records and files of results."""
    noise: GaussianNoise | SaltAndPepperNoise
    name: str
    """The noise in a word or two, as titles of networks end."""
    title: str
    """Stands above tables and plots."""
    description: str
    """The noise and its level, as they follow "restores faces with" in a model card."""
    tab: str
    """The title of its tab in the app."""
    sliders: tuple[float, ...]
    """Values of the app's sliders that make `noise`: for Gaussian noise the origin's `std` and `factor`, see
    `sigma_from_std`; for salt-and-pepper `amount` and `salt_vs_pepper`."""

    @property
    def suffix(self) -> str:
        """The end of the names of networks that are trained for it."""
        return self.key.replace("_", "-")

    @property
    def networks(self) -> tuple[str, str]:
        """Names of the two networks trained for it: truest to the pixels, and of the most natural texture."""
        return f"attention-unet-{self.suffix}", f"patchgan-{self.suffix}"


TASK_RECORDS: dict[str, Task] = {
    task.key: task
    for task in (
        Task(
            key="low",
            noise=GaussianNoise(sigma=0.02),
            name="low Gaussian",
            title="Task 1, low Gaussian (sigma 0.02, 5.1 of 255)",
            description="low Gaussian noise (sigma 0.02 on [0, 1], 5.1 of 255)",
            tab="Low Gaussian noise",
            sliders=(0.2, 0.2),
        ),
        Task(
            key="high",
            noise=GaussianNoise(sigma=0.06),
            name="high Gaussian",
            title="Task 2, high Gaussian (sigma 0.06, 15.3 of 255)",
            description="high Gaussian noise (sigma 0.06 on [0, 1], 15.3 of 255)",
            tab="High Gaussian noise",
            sliders=(0.4, 0.3),
        ),
        Task(
            key="salt_pepper",
            noise=SaltAndPepperNoise(amount=0.1),
            name="salt-and-pepper",
            title="Task 3, salt-and-pepper (amount 0.1)",
            description="salt-and-pepper noise (amount 0.1)",
            tab="Salt and pepper",
            sliders=(0.1, 0.5),
        ),
    )
}

TASKS: dict[str, GaussianNoise | SaltAndPepperNoise] = {key: task.noise for key, task in TASK_RECORDS.items()}
"""The noise of each task."""


def task_at(sigma: float, amount: float) -> str | None:
    """The key of the task whose noise is Gaussian of this `sigma`, or impulses of this `amount`, where there is one."""
    if sigma and amount:
        return None
    noise = SaltAndPepperNoise(amount) if amount else GaussianNoise(sigma)
    return next((key for key, task in TASK_RECORDS.items() if task.noise == noise), None)
