"""Joins two network namespaces by a link with delay and loss, which needs no module of the kernel.

link.py NEAR FAR CLASS:DELAY_MS:LOSE_EVERY...

The far address of a packet has the class in its second number: 10.CLASS.x.x, fd00:CLASS::. A packet takes DELAY_MS each way; one of
LOSE_EVERY is lost, none if that is 0. Packets of other classes are swallowed.
"""
import ctypes, fcntl, heapq, os, select, struct, sys, time

CLONE_NEWNET, TUNSETIFF, IFF_TUN_NO_PI = 0x40000000, 0x400454CA, 0x1001


def open_tun(namespace):
    """Creates the interface wan0 in a namespace, and stays there."""
    if ctypes.CDLL(None, use_errno=True).setns(os.open("/run/netns/" + namespace, os.O_RDONLY), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wan0", IFF_TUN_NO_PI))
    return tun


def far_class(packet, is_sent):
    """Returns the class of the destination of a packet that is sent to the far end, or else of its source."""
    is_ipv4 = packet[0] >> 4 == 4
    return packet[(17 if is_sent else 13) if is_ipv4 else (27 if is_sent else 11)]


near, far = [open_tun(name) for name in sys.argv[1:3]]
classes = {number: [delay / 1000, lose_every, 0] for number, delay, lose_every in (map(int, arg.split(":")) for arg in sys.argv[3:])}
in_flight = []
order = 0
print("ready", flush=True)
while True:
    wait = max(0, in_flight[0][0] - time.monotonic()) if in_flight else None
    for source in select.select([near, far], [], [], wait)[0]:
        packet = os.read(source, 65536)
        way = classes.get(far_class(packet, source == near))
        if way is None:
            continue
        delay, lose_every, _ = way
        way[2] += 1
        if lose_every and way[2] % lose_every == 0:
            continue
        order += 1
        heapq.heappush(in_flight, (time.monotonic() + delay, order, far if source == near else near, packet))
    while in_flight and in_flight[0][0] <= time.monotonic():
        _, _, target, packet = heapq.heappop(in_flight)
        os.write(target, packet)
