"""A WiredTiger database whose tiered tables live in a bucket, as the scenarios use it.

The settings come as JSON from the Rust side:
    extension   path of libplastron_wiredtiger.so
    load        what stands in config=(...) when it is loaded
    store, bucket, auth_token    of tiered_storage
"""
import os
import random
import shutil
import struct

import wiredtiger


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


class Database:
    def __init__(self, settings, home, prefix='pfx_', **more):
        # Tests share buckets; each has a prefix of its own.
        prefix = os.environ.get('PREFIX', 'db') + '/' + prefix
        self.settings = settings
        self.home = home
        self.prefix = prefix
        self.more = more
        self.connection = None
        os.makedirs(home, exist_ok=True)

    def config(self):
        s = self.settings
        tiered = ','.join(f'{key}={value}' for key, value in {
            'name': s['store'], 'bucket': quoted(self.more.get('bucket', s['bucket'])), 'bucket_prefix': quoted(self.prefix),
            'auth_token': quoted(s['auth_token']), 'cache_directory': 'cache',
            'local_retention': self.more.get('local_retention', 1), 'interval': self.more.get('interval', 60),
        }.items())
        load = ','.join([s.get('load', ''), self.more.get('load', '')]).strip(',')
        return (f'create,cache_size={self.more.get("cache_size", "64MB")},statistics=(all),'
                f'extensions=[{s["extension"]}=(config=({load}))],tiered_storage=({tiered})')

    def open(self):
        self.connection = wiredtiger.wiredtiger_open(self.home, self.config())
        return self.connection.open_session()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def session(self):
        return self.connection.open_session()

    def drop_caches(self, unflushed=1):
        """Forgets every copy that is not in the bucket: the local cache and the local copies of flushed objects, which are all but
        the newest of each table: one that is being written, and after a crash one that was on its way."""
        assert self.connection is None
        shutil.rmtree(os.path.join(self.home, 'cache'), ignore_errors=True)
        for name in self.local_objects():
            table = name.rpartition('-')[0]
            if name not in sorted(other for other in self.local_objects() if other.rpartition('-')[0] == table)[-unflushed:]:
                os.remove(os.path.join(self.home, name))

    def local_objects(self):
        return [name for name in os.listdir(self.home) if name.endswith('.wtobj')]


def flush(session):
    session.checkpoint('flush_tier=(enabled,force=true)')


def key(number):
    return f'key{number:010d}'


def value(number, size, salt=0):
    generator = random.Random(number * 1_000_003 + salt)
    return struct.pack('<QQ', number, salt) + generator.randbytes(max(0, size - 16))


def insert(session, table, numbers, size=300, salt=0):
    cursor = session.open_cursor(table)
    for number in numbers:
        cursor.set_key(key(number))
        cursor.set_value(value(number, size, salt))
        assert cursor.insert() == 0
    cursor.close()


def create(session, table):
    session.create(table, 'key_format=S,value_format=u')


def scan(session, table):
    """The whole table, as {key: value}."""
    cursor = session.open_cursor(table)
    rows = {}
    while cursor.next() == 0:
        rows[cursor.get_key()] = bytes(cursor.get_value())
    cursor.close()
    return rows


def expect(session, table, numbers, size=300, salt=lambda number: 0):
    wanted = {key(number): value(number, size, salt(number)) for number in numbers}
    rows = scan(session, table)
    assert rows.keys() == wanted.keys(), f'{table}: {len(rows)} rows, wanted {len(wanted)}'
    assert rows == wanted, f'{table}: wrong values'
    cursor = session.open_cursor(table)
    for number in random.Random(7).sample(sorted(numbers), min(200, len(numbers))):
        cursor.set_key(key(number))
        assert cursor.search() == 0
        assert bytes(cursor.get_value()) == wanted[key(number)], f'{table}: {key(number)} by point read'
    cursor.close()
