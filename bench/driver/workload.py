"""What a workload is: a load that is timed under an allocator, and looked at when it is over."""


class Workload:
    """A program that is timed from exec to exit. name, about, command(scale, hold).

    A command is an argument list. The program prints its checksum. With hold it then frees
    everything, prints the line "hold" and stays until its stdin is closed.

    Other kinds of workloads have the same two functions. They may raise RunFailed, NotLoaded or
    OSError.
    """

    def __init__(self, name, about, command):
        self.name = name
        self.about = about
        self.command = command

    def timed(self, runner, allocator, scale):
        """One run. Returns a Sample."""
        return runner.timed(allocator, self.command(scale, hold=False))

    def settled_kib(self, runner, allocator, scale):
        """Checks that the allocator is in use, in a run that is not timed. Returns the KiB that
        stay resident after the load, or None if nothing outlives it."""
        return runner.settled_kib(allocator, self.command(scale, hold=True))
