"""The words of the slow disk, as linux/fuse.h has them, and what its clients read."""

import socket
import threading
import unittest

import beside
import slow_disk


class Answers(unittest.TestCase):
    def test_lengths(self):
        init = bytes(8) + (1 << 17).to_bytes(4, "little") + bytes(4)
        for code, body, length in ((slow_disk.LOOKUP, b"name\0", 128), (slow_disk.GETATTR, b"", 104),
                                   (slow_disk.OPEN, b"", 16), (slow_disk.INIT, init, 64), (slow_disk.STATFS, b"", 80)):
            self.assertEqual(len(slow_disk.answer(code, 1, body)), length, code)

    def test_names_have_nodes_of_their_own(self):
        nodes = {slow_disk.answer(slow_disk.LOOKUP, 1, f"{n}-{turn}\0".encode())[:8]
                 for n in range(4) for turn in range(1, 500)}
        self.assertEqual(len(nodes), 4 * 499)

    def test_a_file_ends(self):
        def read(at, size):
            question = bytes(8) + at.to_bytes(8, "little") + size.to_bytes(4, "little") + bytes(20)
            return len(slow_disk.answer(slow_disk.READ, 2, question))

        self.assertEqual([read(0, 4096), read(slow_disk.SIZE - 10, 4096), read(slow_disk.SIZE, 4096)], [4096, 10, 0])

    def test_what_it_does_not_know_is_an_error(self):
        self.assertEqual(slow_disk.answer(9999, 1, b""), slow_disk.NO_SUCH_CALL)


class Readers(unittest.TestCase):
    def test_one_file_after_the_other_is_read_whole(self):
        ours, theirs = socket.socketpair()
        is_over, asked = threading.Event(), []
        reading = threading.Thread(target=beside.read, args=(theirs, 7, is_over))
        reading.start()
        with ours, theirs:
            ours.settimeout(20)
            for _ in range(2):
                asked.append(ours.recv(4096).split(b" ")[1])
                ours.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
                ours.sendall(b"ngth: 5\r\n\r\nab")
                ours.sendall(b"cde")
            ours.shutdown(socket.SHUT_RDWR)
            reading.join(20)
        self.assertEqual(asked, [b"/slow/7-1", b"/slow/7-2"])
