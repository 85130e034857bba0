#!/usr/bin/env python3
"""Real WiredTiger with its tiered tables in a bucket: writes, flushes, forgets every local copy, and reads everything back.

    cargo build --release -p plastron-wiredtiger
    pip install cmake ninja 'swig<4.5' && pip install --no-cache-dir wiredtiger==11.3.1
    python3 examples/wiredtiger.py                                                  # a bucket that is a directory
    python3 examples/wiredtiger.py --store s3_store --bucket 'my-bucket;eu-central-1'      # credentials from the usual chain
    python3 examples/wiredtiger.py --store azure_store --bucket container                  # AZURE_STORAGE_CONNECTION_STRING
    python3 examples/wiredtiger.py --store gcp_store --bucket my-bucket                    # GOOGLE_APPLICATION_CREDENTIALS
"""
import argparse
import os
import shutil
import sys
import time

# This file has the module's name and would be found first.
sys.path = [path for path in sys.path if os.path.abspath(path or '.') != os.path.dirname(os.path.abspath(__file__))]
import wiredtiger  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--extension', default='target/release/libplastron_wiredtiger.so')
    parser.add_argument('--home', default='wiredtiger-example', help="the database's directory, which must not exist")
    parser.add_argument('--store', default='dir_store', choices=['dir_store', 's3_store', 'azure_store', 'gcp_store'])
    parser.add_argument('--bucket', default='bucket', help='a directory in the home directory for dir_store')
    parser.add_argument('--prefix', default=f'example-{int(time.time())}/', help='put in front of all names in the bucket')
    parser.add_argument('--auth-token', default='')
    parser.add_argument('--load', default='', help='load-time settings: endpoint="http://…",cache=(size=1GB)')
    return parser.parse_args()


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


def configuration(args):
    return (
        f'create,extensions=[{os.path.abspath(args.extension)}=(config=({args.load}))],'
        f'tiered_storage=(name={args.store},bucket={quoted(args.bucket)},bucket_prefix={quoted(args.prefix)},'
        f'auth_token={quoted(args.auth_token)},cache_directory=cache,local_retention=60)'
    )


def main():
    args = arguments()
    os.makedirs(args.home)
    if args.store == 'dir_store':
        # Plastron creates no bucket but a directory in one that exists.
        os.makedirs(os.path.join(args.home, args.bucket), exist_ok=True)

    connection = wiredtiger.wiredtiger_open(args.home, configuration(args))
    session = connection.open_session()
    session.create('table:turtles', 'key_format=i,value_format=S')
    cursor = session.open_cursor('table:turtles')
    for number in range(2000):
        cursor[number] = f'turtle {number}, ' + 'shell ' * 50
    session.checkpoint('flush_tier=(enabled,force=true)')
    connection.close()
    print('2,000 rows were flushed to the bucket')

    # What has been flushed is in the bucket; forget all the rest but WiredTiger's own metadata.
    shutil.rmtree(os.path.join(args.home, 'cache'))
    os.remove(os.path.join(args.home, 'turtles-0000000001.wtobj'))

    connection = wiredtiger.wiredtiger_open(args.home, configuration(args))
    session = connection.open_session()
    cursor = session.open_cursor('table:turtles')
    rows = {key: value for key, value in cursor}
    assert rows == {number: f'turtle {number}, ' + 'shell ' * 50 for number in range(2000)}
    connection.close()
    print('all 2,000 rows came back from the bucket')


if __name__ == '__main__':
    main()
