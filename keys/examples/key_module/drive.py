#!/usr/bin/env python3
"""Drives a key-management module from Python, by ctypes: the life of a database, and calls that come at the wrong time.

    python3 drive.py ./libexample_key_module.so

Useful to try a module of your own before Plastron loads it. Prints a line for each step; the exit code is 0 if all went as it should.
"""
import ctypes
import errno
import sys


class LoadArgs(ctypes.Structure):
    _fields_ = [("blob_data", ctypes.c_void_p), ("blob_size", ctypes.c_size_t)]


class GetArgs(ctypes.Structure):
    _fields_ = [
        ("blob_data", ctypes.c_void_p),
        ("blob_size", ctypes.c_size_t),
        ("has_changes", ctypes.c_uint8),
        ("returned_lsn", ctypes.c_uint64),
        ("error", ctypes.c_int),
    ]


class DataKeyArgs(ctypes.Structure):
    _fields_ = [
        ("binding", ctypes.c_char_p),
        ("binding_size", ctypes.c_size_t),
        ("input", ctypes.c_char_p),
        ("input_size", ctypes.c_size_t),
        ("output", ctypes.c_void_p),
        ("output_capacity", ctypes.c_size_t),
        ("output_size", ctypes.c_size_t),
    ]


def callback(args):
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(args))


class Interface(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32),
        ("struct_size", ctypes.c_uint32),
        ("load_key_blob", callback(LoadArgs)),
        ("get_key_blob", callback(GetArgs)),
        ("get_key_complete", callback(GetArgs)),
        ("terminate", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)),
        ("wrap_data_key", callback(DataKeyArgs)),
        ("unwrap_data_key", callback(DataKeyArgs)),
        ("last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
    ]


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{errno.errorcode.get(code, code)}: {text}")
        self.code = code


class KeyModule:
    """One opened module."""

    def __init__(self, library, config):
        self.at = ctypes.POINTER(Interface)()
        code = library.plastron_key_management_open(config.encode(), ctypes.byref(self.at))
        if code:
            raise Refused(code, "open")
        self.calls = self.at.contents
        assert self.calls.version == 1, self.calls.version
        assert self.calls.struct_size == ctypes.sizeof(Interface), self.calls.struct_size

    def call(self, function, args):
        code = function(ctypes.cast(self.at, ctypes.c_void_p), ctypes.byref(args))
        if code:
            text = self.calls.last_error(ctypes.cast(self.at, ctypes.c_void_p)) if self.calls.last_error else b""
            raise Refused(code, text.decode())
        return args

    def load(self, blob):
        held = ctypes.create_string_buffer(blob, len(blob))
        self.call(self.calls.load_key_blob, LoadArgs(ctypes.addressof(held), len(blob)))

    def get(self):
        """The changed blob, or None; and the arguments to complete it with."""
        args = self.call(self.calls.get_key_blob, GetArgs())
        return (ctypes.string_at(args.blob_data, args.blob_size) if args.has_changes else None), args

    def complete(self, args, lsn=0, error=0):
        args.returned_lsn, args.error = lsn, error
        self.call(self.calls.get_key_complete, args)

    def data_key(self, function, key, binding, capacity):
        output = ctypes.create_string_buffer(capacity)
        args = DataKeyArgs(binding, len(binding), key, len(key), ctypes.addressof(output), capacity, 0)
        self.call(function, args)
        return output.raw[: args.output_size]

    def wrap(self, key, binding):
        return self.data_key(self.calls.wrap_data_key, key, binding, 8192)

    def unwrap(self, wrapped, binding):
        return self.data_key(self.calls.unwrap_data_key, wrapped, binding, 32)

    def terminate(self):
        assert self.calls.terminate(ctypes.cast(self.at, ctypes.c_void_p)) == 0


def refused(code, function, *args):
    try:
        function(*args)
    except Refused as error:
        assert error.code == code, error
        print(f"refused, as it should be: {error}")
    else:
        raise AssertionError(f"{function.__name__} was not refused")


def main(path):
    library = ctypes.CDLL(path)
    print("sizes", *(ctypes.sizeof(args) for args in (LoadArgs, GetArgs, DataKeyArgs, Interface)))
    key, here, there = bytes(range(32)), b"segment 1", b"segment 2"

    leader = KeyModule(library, "secret=turtle,key_expires=0")
    early = leader.wrap(key, here)
    first, args = leader.get()
    assert first, "a new database has a new blob"
    refused(errno.EINVAL, leader.get)
    refused(errno.EINVAL, leader.load, first)
    leader.complete(args, lsn=10)
    refused(errno.EINVAL, leader.complete, args, 11)
    print("the first checkpoint is complete, with a blob of", len(first), "bytes")

    second, args = leader.get()
    assert second and second != first, "key_expires=0 gives a new key every time"
    leader.complete(args, error=errno.EIO)
    third, args = leader.get()
    assert third, "what failed is offered again"
    leader.complete(args, lsn=20)
    late = leader.wrap(key, here)
    print("a failed checkpoint changed nothing, and the next one did")

    follower = KeyModule(library, "secret=turtle,key_expires=-1")
    follower.load(first)
    assert follower.get()[0] is None, "the same blob is used again"
    assert follower.unwrap(early, here) == key
    refused(errno.EACCES, follower.unwrap, late, here)
    follower.load(third)
    assert follower.unwrap(early, here) == key and follower.unwrap(late, here) == key
    refused(errno.EBADMSG, follower.unwrap, late, there)
    refused(errno.EBADMSG, follower.unwrap, late[:-1] + bytes([late[-1] ^ 1]), here)
    refused(errno.EBADMSG, follower.load, b"garbage")
    print("a follower reads old and new")

    stranger = KeyModule(library, "secret=hare")
    refused(errno.EACCES, stranger.load, third)
    refused(errno.EACCES, KeyModule, library, "")
    for module in (leader, follower, stranger):
        module.terminate()
    print("all is well")


if __name__ == "__main__":
    main(sys.argv[1])
