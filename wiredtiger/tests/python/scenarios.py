"""What real WiredTiger does on the extension: python scenarios.py SCENARIO HOME SETTINGS-JSON"""
import json
import os
import random
import sys
import threading
import time

import wiredtiger

from database import Database, create, expect, flush, insert, key, scan, value


def lifecycle(settings, home):
    """Create, insert, flush several times, drop every copy that is not in the bucket, reopen, scan, read by point."""
    database = Database(settings, home)
    session = database.open()
    create(session, 'table:main')
    for round in range(4):
        insert(session, 'table:main', range(round * 2000, round * 2000 + 2000))
        flush(session)
    expect(session, 'table:main', range(8000))
    database.close()
    database.drop_caches()
    session = database.open()
    expect(session, 'table:main', range(8000))
    # And on: overwrite part of it, flush again, look again.
    insert_over = range(1000, 3000)
    cursor = session.open_cursor('table:main', None, 'overwrite=true')
    for number in insert_over:
        cursor[key(number)] = value(number, 300, 1)
    cursor.close()
    flush(session)
    database.close()
    database.drop_caches()
    session = database.open()
    expect(session, 'table:main', range(8000), salt=lambda number: 1 if number in insert_over else 0)
    database.close()


def many_tables(settings, home):
    database = Database(settings, home)
    session = database.open()
    for table in range(20):
        create(session, f'table:t{table}')
        insert(session, f'table:t{table}', range(table, table + 200), salt=table)
    flush(session)
    database.close()
    database.drop_caches()
    session = database.open()
    for table in range(20):
        expect(session, f'table:t{table}', range(table, table + 200), salt=lambda number: table)
    database.close()


def large_values(settings, home):
    database = Database(settings, home)
    session = database.open()
    create(session, 'table:large')
    insert(session, 'table:large', range(24), size=1 << 20)
    flush(session)
    database.close()
    database.drop_caches()
    session = database.open()
    expect(session, 'table:large', range(24), size=1 << 20)
    database.close()


def local_retention(settings, home):
    """Local copies go when their time is over, and what they held is read from the bucket."""
    database = Database(settings, home, local_retention=1, interval=1)
    session = database.open()
    create(session, 'table:kept')
    for round in range(3):
        insert(session, 'table:kept', range(round * 500, round * 500 + 500))
        flush(session)
    flushed = database.local_objects()
    deadline = time.monotonic() + 300
    while 'kept-0000000001.wtobj' in database.local_objects() or 'kept-0000000002.wtobj' in database.local_objects():
        assert time.monotonic() < deadline, f'still there: {database.local_objects()} of {flushed}'
        time.sleep(0.2)
    expect(session, 'table:kept', range(1500))
    database.close()
    session = database.open()
    expect(session, 'table:kept', range(1500))
    database.close()


def drops(settings, home):
    """Drop with and without remove_shared: what is in the bucket goes or stays, which the driver looks at."""
    database = Database(settings, home)
    session = database.open()
    for table in ('table:gone', 'table:kept'):
        create(session, table)
        insert(session, table, range(500))
    flush(session)
    session.drop('table:gone', 'remove_shared=true')
    session.drop('table:kept', 'remove_shared=false')
    cursor = session.open_cursor('metadata:')
    left = [cursor.get_key() for _ in iter(cursor.next, wiredtiger.WT_NOTFOUND)]
    assert not [name for name in left if 'gone' in name or 'kept' in name], left
    cursor.close()
    # Another table, and the connection, go on.
    create(session, 'table:again')
    insert(session, 'table:again', range(300), salt=5)
    flush(session)
    expect(session, 'table:again', range(300), salt=lambda number: 5)
    database.close()


def two_databases(settings, home):
    """Two connections in one process, with different prefixes and different buckets."""
    one = Database(settings, os.path.join(home, 'one'), prefix='one_')
    two = Database(settings, os.path.join(home, 'two'), prefix='two_')
    three = Database(settings, os.path.join(home, 'three'), prefix='one_', bucket=settings['other_bucket'])
    databases = (one, two, three)
    for salt, database in enumerate(databases):
        session = database.open()
        create(session, 'table:same')
        insert(session, 'table:same', range(1000), salt=salt)
        flush(session)
        expect(session, 'table:same', range(1000), salt=lambda number: salt)
    for database in databases:
        database.close()
        database.drop_caches()
    for salt, database in enumerate(databases):
        session = database.open()
        expect(session, 'table:same', range(1000), salt=lambda number: salt)
    for database in databases:
        database.close()


def readers_during_flushes(settings, home):
    database = Database(settings, home, cache_size='10MB')
    session = database.open()
    create(session, 'table:busy')
    insert(session, 'table:busy', range(5000))
    flush(session)
    stop, faults = threading.Event(), []

    def read(seed):
        try:
            mine = database.session()
            cursor = mine.open_cursor('table:busy')
            number = seed
            while not stop.is_set():
                number = (number * 48271 + 11) % 5000
                cursor.set_key(key(number))
                assert cursor.search() == 0, f'{key(number)} is gone'
                assert bytes(cursor.get_value()) == value(number, 300), f'{key(number)} is wrong'
            mine.close()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the scenario fails with it
            faults.append(repr(fault))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for round in range(6):
        insert(session, 'table:busy', range(5000 + round * 500, 5500 + round * 500))
        flush(session)
    stop.set()
    for thread in threads:
        thread.join()
    assert not faults, faults
    expect(session, 'table:busy', range(8000))
    database.close()


def refused(settings, home):
    """Opening fails, and the message says why."""
    database = Database(settings, home)
    try:
        database.open()
    except wiredtiger.WiredTigerError as error:
        print(f'refused: {error}', file=sys.stderr)
        return
    raise AssertionError('it was opened')


def calls(settings, home):
    """The storage source by itself, as WiredTiger's Python API shows it. Refused calls say why on the standard error."""
    database = Database(settings, home)
    session = database.open()
    source = database.connection.get_storage_source(settings['store'])
    prefix = os.environ['PREFIX'] + '/calls/'
    FileSystem = wiredtiger.FileSystem

    def refused(call, word):
        try:
            call()
        except wiredtiger.WiredTigerError as error:
            assert word in str(error), f'{word!r} is not in {error}'
        else:
            raise AssertionError(f'{word}: it was not refused')

    files = source.ss_customize_file_system(session, settings['bucket'], settings['auth_token'], 'cache_directory=cache-of-calls')
    name, other = prefix + 'object', prefix + 'other'
    content = random.Random(3).randbytes(2_000_000)
    with open(os.path.join(home, 'local'), 'wb') as file:
        file.write(content)
    assert not files.fs_exist(session, name)
    assert files.fs_directory_list(session, '', prefix) == []
    source.ss_flush(session, files, 'local', name, None)
    source.ss_flush_finish(session, files, 'local', name, None)
    source.ss_flush(session, files, 'local', name, None)
    assert files.fs_exist(session, name)
    assert files.fs_size(session, name) == len(content)
    source.ss_flush(session, files, 'local', other, None)
    assert files.fs_directory_list(session, '', prefix) == [name, other]
    assert files.fs_directory_list(session, prefix, '') == ['object', 'other']
    assert files.fs_directory_list(session, prefix, 'ot') == ['other']
    assert len(files.fs_directory_list_single(session, '', prefix)) == 1

    handle = files.fs_open_file(session, name, FileSystem.open_file_type_data, FileSystem.open_readonly)
    assert handle.name == name and handle.fh_size(session) == len(content)
    for offset, length in ((0, 28672), (262_143, 2), (1_999_999, 1), (0, len(content))):
        buffer = bytes(length)
        handle.fh_read(session, offset, buffer)
        assert buffer == content[offset:offset + length], f'{offset}+{length}'
    refused(lambda: handle.fh_read(session, 1_999_999, bytes(2)), 'Invalid argument')
    refused(lambda: handle.fh_write(session, 0, b'x'), 'not supported')
    handle.fh_lock(session, True)
    handle.fh_lock(session, False)
    handle.close(session)

    refused(lambda: files.fs_open_file(session, prefix + 'missing', FileSystem.open_file_type_data, FileSystem.open_readonly), 'No such file')
    refused(lambda: files.fs_open_file(session, name, FileSystem.open_file_type_data, 0), 'Invalid argument')
    refused(lambda: files.fs_open_file(session, name, FileSystem.open_file_type_log, FileSystem.open_readonly), 'Invalid argument')
    refused(lambda: files.fs_rename(session, name, prefix + 'new', 0), 'not supported')
    refused(lambda: files.fs_size(session, prefix + 'missing'), 'No such file')
    with open(os.path.join(home, 'local'), 'ab') as file:
        file.write(b'more')
    refused(lambda: source.ss_flush(session, files, 'local', name, None), 'File exists')
    refused(lambda: source.ss_flush(session, files, 'not-there', prefix + 'new', None), 'No such file')
    refused(lambda: source.ss_customize_file_system(session, '', settings['auth_token'], None), 'Invalid argument')
    for object in (name, other):
        files.fs_remove(session, object, 0)
    assert files.fs_directory_list(session, '', prefix) == []
    refused(lambda: files.fs_remove(session, name, 0), 'No such file')

    # One reference is the registration's, one came with get_storage_source.
    files.terminate(session)
    source.terminate(session)
    # This one is left open, with a handle, until the connection closes it.
    source = database.connection.get_storage_source(settings['store'])
    files = source.ss_customize_file_system(session, settings['bucket'], settings['auth_token'], None)
    source.ss_flush(session, files, 'local', name, None)
    files.fs_open_file(session, name, FileSystem.open_file_type_data, FileSystem.open_readonly)
    source.terminate(session)
    database.close()


def stop_at_end_of_input():
    """An event that is set when there is nothing more on the standard input."""
    stop = threading.Event()

    def wait():
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop


def flush_cycles(settings, home):
    """For the crash test: flushes until the end of its input and notes each number that is committed and flushed; killed from outside."""
    database = Database(settings, home)
    database.drop_caches(unflushed=2)
    session = database.open()
    table = 'table:crash'
    noted = os.path.join(home, 'noted')
    if not os.path.exists(noted):
        try:
            create(session, table)
        except wiredtiger.WiredTigerError:
            # Created by a run that was killed before it noted anything.
            pass
    done = int(open(noted).read().split()[-1]) if os.path.exists(noted) and os.path.getsize(noted) else -1
    rows = scan(session, table)
    for number in range(done + 1):
        assert rows.get(key(number)) == value(number, 1000), f'{key(number)} was flushed, and is lost or wrong'
    next_number = done + 1
    stop = stop_at_end_of_input()
    with open(noted, 'a') as file:
        while not stop.is_set():
            cursor = session.open_cursor(table, None, 'overwrite=true')
            for number in range(next_number, next_number + 20):
                cursor[key(number)] = value(number, 1000)
            cursor.close()
            next_number += 20
            flush(session)
            file.write(f'{next_number - 1}\n')
            file.flush()
            os.fsync(file.fileno())
    database.close()


def through_trouble(settings, home):
    """Flushes and reads while the driver makes trouble between us and the bucket, until the end of the input."""
    database = Database(settings, home, cache_size='10MB')
    session = database.open()
    create(session, 'table:busy')
    insert(session, 'table:busy', range(8000), size=2000)
    create(session, 'table:large')
    insert(session, 'table:large', range(12), size=1 << 20)
    flush(session)
    database.close()
    database.drop_caches()
    session = database.open()
    stop, faults, reads = stop_at_end_of_input(), [], [0, 0]

    def read(reader):
        try:
            mine = database.session()
            cursor = mine.open_cursor('table:busy')
            number = reader
            while not stop.is_set():
                number = (number * 48271 + 11) % 8000
                cursor.set_key(key(number))
                assert cursor.search() == 0, f'{key(number)} is gone'
                assert bytes(cursor.get_value()) == value(number, 2000), f'{key(number)} is wrong'
                reads[reader] += 1
            mine.close()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the scenario fails with it
            faults.append(repr(fault))
            stop.set()

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(2)]
    for thread in threads:
        thread.start()
    # Before there is trouble, all have read something.
    while min(reads) <= 3 and not faults:
        time.sleep(0.01)
    print('at work', flush=True)
    flushes = 0
    while not stop.is_set() or flushes < 3:
        insert(session, 'table:busy', range(8000 + flushes * 50, 8050 + flushes * 50), size=2000)
        if flushes % 10 == 0:
            # More than one part.
            insert(session, 'table:large', range(12 + flushes, 22 + flushes), size=1 << 20)
        flush(session)
        flushes += 1
    for thread in threads:
        thread.join()
    assert not faults, faults
    assert min(reads) > 3, f'{flushes} flushes, {reads} reads'
    large = 12 + 10 * ((flushes + 9) // 10)
    for again in range(2):
        expect(session, 'table:busy', range(8000 + flushes * 50), size=2000)
        expect(session, 'table:large', range(large), size=1 << 20)
        database.close()
        if again == 0:
            database.drop_caches()
            session = database.open()


SCENARIOS = [
    lifecycle, many_tables, large_values, local_retention, drops, two_databases, readers_during_flushes, calls, refused, flush_cycles,
    through_trouble,
]

if __name__ == '__main__':
    name, home, settings = sys.argv[1:4]
    {scenario.__name__: scenario for scenario in SCENARIOS}[name](json.loads(settings), home)
    print(f'{name}: done')
