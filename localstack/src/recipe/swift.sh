# Starts Swift in the working directory, which holds its configuration; see swift.rs. POSIX sh.
# Arguments: the ports of memcached, object, container and account server.
memcached=$1 object=$2 container=$3 account=$4
user=$(id -un)
sed -i "s/@USER@/$user/" etc/*.conf

# One Python for all three rings: swift-ring-builder would need nine.
/usr/bin/python3 - "$object" "$container" "$account" <<'P' || exit 1
import sys
from swift.common.ring import RingBuilder
for name, port in zip(('object', 'container', 'account'), map(int, sys.argv[1:])):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({'id': 0, 'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'd1', 'weight': 1.0,
                     'replication_ip': '127.0.0.1', 'replication_port': port, 'meta': ''})
    builder.rebalance()
    builder.get_ring().save(f'etc/{name}.ring.gz')
P

# Each of them ends with this shell, and this shell with the supervisor.
bound=
if command -v setpriv >/dev/null 2>&1; then bound='setpriv --pdeathsig KILL'; fi
as_root=
if [ "$user" = root ]; then as_root='-u root'; fi
$bound memcached $as_root -l 127.0.0.1 -p "$memcached" -U 0 &
for name in account container object; do
    $bound "/usr/bin/swift-$name-server" "$PWD/etc/$name.conf" -v &
done
exec /usr/bin/swift-proxy-server "$PWD/etc/proxy.conf" -v
