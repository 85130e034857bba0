//! Store strings and URLs that open nothing.

use plastron::ErrorKind::{Invalid, Unauthorized};
use plastron::Store;

use crate::{Row, Table};

/// Whole strings.
const STRINGS: &[Row<'_>] = &[
    (
        "",
        Invalid,
        "source is missing; it takes one of dir_store, memory_store, s3_store, azure_store, gcp_store, dir, memory, s3, azure, az, gcp, gs, gcs",
    ),
    (
        "   ",
        Invalid,
        "source is missing; it takes one of dir_store, memory_store, s3_store, azure_store, gcp_store, dir, memory, s3, azure, az, gcp, gs, gcs",
    ),
    (
        "bucket=b",
        Invalid,
        "source is missing; it takes one of dir_store, memory_store, s3_store, azure_store, gcp_store, dir, memory, s3, azure, az, gcp, gs, gcs",
    ),
    (
        "source=s4_store,bucket=pages",
        Invalid,
        "source takes one of dir_store, memory_store, s3_store, azure_store, gcp_store, dir, memory, s3, azure, az, gcp, gs, gcs, not 's4_store'; did you mean 's3_store'? (line 1, column 8)",
    ),
    ("source=s3_store", Invalid, "open configuration: s3_store needs a bucket; set bucket="),
    ("source=s3_store,bucket=", Invalid, "open configuration: s3_store needs a bucket; set bucket="),
    (
        "source=s3_store,bucket=ab",
        Invalid,
        "open s3_store: bucket: a bucket name has 3 to 63 characters, this one has 2",
    ),
    ("source=s3_store,bucket=\"pages;\"", Invalid, "open s3_store: bucket: there is no region after the `;`"),
    (
        "source=s3_store,bucket=\"pages;eu-central-1;AK\"",
        Invalid,
        "open s3_store: bucket: too many `;`: write it as \"name\" or \"name;region\"; keys go into auth_token",
    ),
    (
        "source=s3_store,bucket=pages/db1",
        Invalid,
        "open s3_store: bucket: a bucket name has no `/`; what follows it belongs into bucket_prefix",
    ),
    (
        "source=s3_store,bucket=\"my pages\"",
        Invalid,
        "open s3_store: bucket: ' ' in a bucket name; letters, digits, `.`, `-` and `_` are possible",
    ),
    (
        "source=s3_store,bucket=\"arn:aws:s3:::pages\"",
        Invalid,
        "open s3_store: bucket: ARNs are not supported; use the bucket's name or the access point's alias",
    ),
    (
        "source=s3_store,bucket=\"pages--x-s3\"",
        Invalid,
        "open s3_store: bucket: directory buckets (S3 Express One Zone) are not supported: their listings have no order; use a general purpose bucket",
    ),
    (
        "source=s3_store,bucket=pages.",
        Invalid,
        "open s3_store: bucket: a bucket name begins and ends with a letter or digit",
    ),
    ("source=s3_store,bucket=\"pages..db\"", Invalid, "open s3_store: bucket: a bucket name has no two dots in a row"),
    (
        "source=s3_store,bucket=\"pages;eu central\"",
        Invalid,
        "open s3_store: bucket, behind the `;`: not a region; one looks like eu-central-1",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=AK",
        Invalid,
        "open s3_store: auth_token: there is no `;`, so no secret key; write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=\"AK;\"",
        Invalid,
        "open s3_store: auth_token: the secret key is empty; write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=\";SK\"",
        Invalid,
        "open s3_store: auth_token: the access key is empty; write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=\"AK;SK;ST;4\"",
        Invalid,
        "open s3_store: auth_token: there are more than three parts; write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=\"A K;SK\"",
        Invalid,
        "open s3_store: auth_token: the access key holds a blank, a control character or a letter beyond ASCII; write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"",
    ),
    (
        "source=s3_store,bucket=pages,auth_token=AK;SK=",
        Invalid,
        "a secret that holds '=' or ':' must stand in double quotes (line 1, column 46)",
    ),
    ("source=s3_store,bucket=\"pages", Invalid, "the quoted text is not closed (line 1, column 24)"),
    (
        "source=s3_store bucket=pages",
        Invalid,
        "a comma is missing behind the value of source, or double quotes around it (line 1, column 17)",
    ),
    (
        "source=s3_store,bucket=pages,(size=1)",
        Invalid,
        "a bracket can't stand in the place of a key (line 1, column 30)",
    ),
    ("source=s3_store,bucket=pages)", Invalid, "')' closes nothing (line 1, column 29)"),
    ("source=s3_store,bucket=pages,cache=(size=10GB", Invalid, "'(' is not closed (line 1, column 36)"),
    (
        "source=s3_store,bukket=pages",
        Invalid,
        "'bukket' is not a setting of store; did you mean 'bucket'? (line 1, column 17)",
    ),
    (
        "source=s3_store,bucket=pages,auth_tokn=\"AK;SK\"",
        Invalid,
        "'auth_tokn' is not a setting of store; did you mean 'auth_token'? (line 1, column 30)",
    ),
    (
        "source=azure_store,bucket=Pages",
        Invalid,
        "open azure_store: bucket: 'P' in a container's name; lower-case letters, digits and `-` are possible",
    ),
    (
        "source=azure_store,bucket=\"my--pages\"",
        Invalid,
        "open azure_store: bucket: a container's name begins and ends with a letter or digit, and has no two hyphens in a row",
    ),
    (
        "source=azure_store,bucket=\"pages;eu\"",
        Invalid,
        "open azure_store: bucket: a container's name has no `;`: Azure has no region here, and a connection string goes into auth_token",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"?sv=2024&sig=x\"",
        Invalid,
        "open azure_store: auth_token: this is a bare shared access signature; write it as BlobEndpoint=https://…;SharedAccessSignature=…",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a\"",
        Invalid,
        "open azure_store: auth_token: neither AccountKey nor SharedAccessSignature is given; to use an identity, leave the connection string out and set endpoint=https://ACCOUNT.blob.core.windows.net",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountKey=YWJj\"",
        Invalid,
        "open azure_store: auth_token: AccountKey needs AccountName",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a;AccountKey=not base64\"",
        Invalid,
        "open azure_store: auth_token: AccountKey: the key is not base64; copy all of it, `==` included",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a;AccountName=b;AccountKey=YWJj\"",
        Invalid,
        "open azure_store: auth_token: AccountName is given twice; keep one",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a;AccountKey=YWJj;SharedAccessSignature=sv=1&sig=x\"",
        Invalid,
        "open azure_store: auth_token: AccountKey and SharedAccessSignature are both given; keep one",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a;AccountKey=YWJj;Colour=red\"",
        Invalid,
        "open azure_store: auth_token: the key Colour is not known; known are AccountName, AccountKey, SharedAccessSignature, BlobEndpoint, EndpointSuffix, DefaultEndpointsProtocol, UseDevelopmentStorage, DevelopmentStorageProxyUri",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"UseDevelopmentStorage=false\"",
        Invalid,
        "open azure_store: auth_token: UseDevelopmentStorage can only be true; leave it out otherwise",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"AccountName=a;AccountKey=YWJj;DefaultEndpointsProtocol=ftp\"",
        Invalid,
        "open azure_store: auth_token: DefaultEndpointsProtocol must be https or http",
    ),
    (
        "source=azure_store,bucket=pages,auth_token=\"just a key\"",
        Invalid,
        "open azure_store: auth_token: part 1 is not Key=Value; a connection string looks like AccountName=…;AccountKey=…",
    ),
    (
        "source=gcp_store,bucket=Pages",
        Invalid,
        "open gcp_store: bucket: 'P' in a bucket name; lower-case letters, digits, `-`, `_` and `.` are possible",
    ),
    (
        "source=gcp_store,bucket=pg",
        Invalid,
        "open gcp_store: bucket: a bucket name has 3 to 63 characters (222 with dots, 63 between them), this one has 2",
    ),
    (
        "source=gcp_store,bucket=pages,auth_token=\"{\\\"type\\\":\\\"service_account\\\"}\"",
        Invalid,
        "open gcp_store: auth_token: this is a credential itself; put it into a file and give its path",
    ),
    (
        "source=gcp_store,bucket=pages,auth_token=ya29.abc",
        Invalid,
        "open gcp_store: auth_token: this is a token; write it as \"Bearer TOKEN\", or give the path of a credential file",
    ),
    (
        "source=gcp_store,bucket=pages,auth_token=\"Bearer a b\"",
        Invalid,
        "open gcp_store: auth_token: what follows \"Bearer \" must be a token without blanks",
    ),
    (
        "source=gcp_store,bucket=pages,auth_token=\"/no/such/file.json\"",
        Unauthorized,
        "open gs://pages: no usable credentials: auth_token: there is no such file",
    ),
    (
        "source=gcp_store,bucket=pages,auth_token=\"/dev\"",
        Unauthorized,
        "open gs://pages: no usable credentials: auth_token: the path is not that of a file",
    ),
    ("source=dir_store", Invalid, "open configuration: dir_store needs a bucket; set bucket="),
    (
        "source=dir_store,bucket=\"/no/such/directory/bucket\"",
        Invalid,
        "open /no/such/directory/bucket: no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)",
    ),
    (
        "source=dir_store,bucket=\"~/bucket\"",
        Invalid,
        "open ~/bucket: {}/~/bucket does not exist; ~ is not expanded here: write the home directory out",
    ),
    (
        "source=dir_store,bucket=\"/etc/passwd\"",
        Invalid,
        "open /etc/passwd: /etc/passwd is not a directory, or something on the way to it is not",
    ),
    (
        "source=dir_store,bucket=\"/etc/passwd/bucket\"",
        Invalid,
        "open /etc/passwd/bucket: /etc/passwd/bucket is not a directory, or something on the way to it is not",
    ),
    (
        "source=dir_store,bucket=\"/no/such/directory\",readonly=true",
        Invalid,
        "open /no/such/directory: no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)",
    ),
    (
        "source=memory_store,bucket_prefix=/db1/",
        Invalid,
        "open memory_store: bucket_prefix \"/db1/\": no name begins like this: it has an empty segment (a leading / or //)",
    ),
    (
        "source=memory_store,bucket_prefix=\"db1/../\"",
        Invalid,
        "open memory_store: bucket_prefix \"db1/../\": no name begins like this: it has the segment ..; names are not paths and are not resolved",
    ),
    (
        "source=memory_store,bucket_prefix=\"db1//\"",
        Invalid,
        "open memory_store: bucket_prefix \"db1//\": no name begins like this: it has an empty segment (a leading / or //)",
    ),
    (
        "source=memory_store,bucket_prefix=\"a\\nb\"",
        Invalid,
        "open memory_store: bucket_prefix \"a\\nb\": no name begins like this: it has the control character U+000A at byte 1",
    ),
    (
        "source=memory_store,cache=(memroy=64MB)",
        Invalid,
        "'memroy' is not a setting of cache; did you mean 'memory'? (line 1, column 28)",
    ),
    (
        "source=memory_store,cache=yes",
        Invalid,
        "cache takes settings in brackets, cache=(…), not 'yes' (line 1, column 27)",
    ),
    (
        "source=memory_store,cache=(block_size=5000)",
        Invalid,
        "cache.block_size must be a power of two, such as 64KB or 256KB (line 1, column 39)",
    ),
    (
        "source=memory_store,cache=(block_size=2KB)",
        Invalid,
        "cache.block_size takes 4KB to 16MB, not '2KB' (line 1, column 39)",
    ),
    (
        "source=memory_store,cache=(memory=1MB,block_size=1MB)",
        Invalid,
        "open the cache: cache.memory must be 0 or hold 4 blocks, 4194304 bytes, not 1048576; raise it or lower cache.block_size",
    ),
    (
        "source=memory_store,cache=(size=lots)",
        Invalid,
        "cache.size takes a size such as 64MB or 10GB, not 'lots' (line 1, column 33)",
    ),
    (
        "source=memory_store,cache=(size=-1)",
        Invalid,
        "cache.size takes a size such as 64MB or 10GB, not '-1' (it can't be negative) (line 1, column 33)",
    ),
    (
        "source=memory_store,cache=(directory=\"/etc/passwd\")",
        Invalid,
        "open the cache: cannot open the cache directory /etc/passwd: Not a directory (os error 20)",
    ),
    (
        "source=memory_store,cache=(admission=sometimes)",
        Invalid,
        "cache.admission takes one of always, scan_resistant, second_hit, not 'sometimes' (line 1, column 38)",
    ),
    (
        "pages",
        Invalid,
        "'pages' is not a setting of store; its settings are source, bucket, bucket_prefix, auth_token, endpoint, region, path_style, readonly, part_size, part_concurrency, probe, checksums, retry, timeout, limits, hedge, cache, page_log, key_management, registry, retention (line 1, column 1)",
    ),
    (
        "/data/pages",
        Invalid,
        "a path is no store; write file:// and the absolute path, as in file:///var/lib/db (line 1, column 1)",
    ),
    (
        "~/pages",
        Invalid,
        "a path is no store; write file:// and the absolute path, as in file:///var/lib/db (line 1, column 1)",
    ),
    ("ftp://pages", Invalid, "a store's URL starts with file, memory, s3, az or gs, not with 'ftp' (line 1, column 1)"),
    (
        "http://pages/db1",
        Invalid,
        "a store's URL starts with file, memory, s3, az or gs, not with 'http'; a server's address goes into endpoint, as in s3://bucket?endpoint=http://host:9000 (line 1, column 1)",
    ),
    ("s3://", Invalid, "the bucket is missing: s3://bucket/prefix (line 1, column 6)"),
    ("s3:///db1", Invalid, "the bucket is missing: s3://bucket/prefix (line 1, column 6)"),
    (
        "s3://pages?regoin=eu-central-1",
        Invalid,
        "'regoin' is not a setting of store; did you mean 'region'? (line 1, column 12)",
    ),
    ("s3://pages?region", Invalid, "region takes a text: region=… (line 1, column 12)"),
    (
        "s3://pages#db1",
        Invalid,
        "a store's URL has no fragment; write %23 if '#' is part of a name (line 1, column 11)",
    ),
    (
        "s3://AK:SK@pages/db1",
        Invalid,
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 6)",
    ),
    ("s3://pages?part_size=1KB", Invalid, "part_size takes 256KB to 5GB, not '1KB' (line 1, column 22)"),
    (
        "az://pages?auth_token=%ZZ",
        Invalid,
        "auth_token can't stand in a URL, since URLs end up in shell histories and logs; use a configuration string (line 1, column 12)",
    ),
    ("gs://", Invalid, "the bucket is missing: gs://bucket/prefix (line 1, column 6)"),
    ("file://", Invalid, "a file URL takes an absolute path and no host, as in file:///var/lib/db (line 1, column 8)"),
    (
        "file://host/data",
        Invalid,
        "a file URL takes an absolute path and no host, as in file:///var/lib/db (line 1, column 8)",
    ),
    (
        "file:data",
        Invalid,
        "'file' is not a setting of store; its settings are source, bucket, bucket_prefix, auth_token, endpoint, region, path_style, readonly, part_size, part_concurrency, probe, checksums, retry, timeout, limits, hedge, cache, page_log, key_management, registry, retention (line 1, column 1)",
    ),
    ("file:///data?readonly=perhaps", Invalid, "readonly takes true or false, not 'perhaps' (line 1, column 23)"),
    ("memory://?part_size=1GB&part_size=2KB", Invalid, "part_size takes 256KB to 5GB, not '2KB' (line 1, column 35)"),
];

#[tokio::test]
async fn strings_that_open_nothing() {
    let here = std::env::current_dir().unwrap().display().to_string();
    let mut table = Table::default();
    for row in STRINGS {
        table.row(*row, Store::open(row.0).await, &here);
    }
    table.finish(80);
}
