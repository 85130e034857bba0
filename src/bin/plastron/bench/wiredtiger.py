"""One step of `plastron bench wiredtiger`: reads what to do as JSON from its standard input, and prints how long the part that counts took, and how much of the processor this thread used."""
import json
import os
import random
import sys
import time

import wiredtiger

step = json.load(sys.stdin)


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


class Watch:
    def __init__(self):
        self.clock, self.processor = time.perf_counter(), time.thread_time()

    def stop(self):
        return {'seconds': time.perf_counter() - self.clock, 'processor_seconds': time.thread_time() - self.processor}


os.makedirs(step['home'], exist_ok=True)
tiered = ','.join(f'{key}={quoted(value)}' for key, value in step['tiered'].items())
connection = wiredtiger.wiredtiger_open(
    step['home'],
    f'create,cache_size=100MB,extensions=[{quoted(step["extension"])}=(config=({step["load"]}))],'
    f'tiered_storage=({tiered},cache_directory=cache,local_retention=3600)',
)
session = connection.open_session()


def fill(table, config):
    session.create(table, f'key_format=q,value_format=u,{config}')
    cursor = session.open_cursor(table, None, 'bulk')
    source = random.Random(1).randbytes(step['value_bytes'] * 2)
    for number in range(step['rows']):
        start = number * 7919 % step['value_bytes']
        cursor[number] = source[start:start + step['value_bytes']]
    cursor.close()


def scan(table):
    cursor = session.open_cursor(table)
    rows = 0
    watch = Watch()
    while cursor.next() == 0:
        cursor.get_value()
        rows += 1
    took = watch.stop()
    assert rows == step['rows'], f'{rows} rows of {step["rows"]}'
    return took


if step['what'] == 'fill':
    fill('table:tiered', '')
    if step['plain']:
        fill('table:plain', 'tiered_storage=(name=none)')
    session.checkpoint()
    watch = Watch()
    session.checkpoint('flush_tier=(enabled,force=true)')
    took = watch.stop()
else:
    took = scan(step['what'])
connection.close()
print(json.dumps(took))
