/*
 * An example of a Plastron key-management module in C.
 *
 *     cc -std=c11 -shared -fPIC -I keys/include -o libexample_key_module.so example_key_module.c
 *
 *     key_management=(name=plugin,config=(library=./libexample_key_module.so,config=(secret="…",key_expires=-1)))
 *
 * It keeps the whole contract: states, the end of a key's life, old keys kept for reading, wrapped keys that are bound to their place.
 * **Its cipher is a toy and protects nothing.** Where it says "toy", call your library, device or key service instead.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plastron_key_management.h"

#define KEY_BYTES 32
/* "EXKB", generation, time of creation, authenticator. */
#define BLOB_BYTES 24
/* "EXWK", generation, nonce, the data key, authenticator. */
#define WRAPPED_BYTES (16 + KEY_BYTES + 8)

typedef struct {
    /* What Plastron sees comes first, so that a pointer to it is a pointer to the whole. */
    plastron_key_management km;
    /* Guards what follows: data keys are wrapped while a checkpoint runs. */
    pthread_mutex_t lock;
    uint64_t secret;
    /* Seconds that a key lasts; 0: every checkpoint gets a new one; -1: for ever. */
    long long key_expires;
    /* Number of the key of the blob last loaded or completed, and its time; 0: there was no blob yet. */
    uint32_t in_force;
    uint64_t created;
    /* Highest number seen. */
    uint32_t known;
    /* The blob that waits to be completed: its number and its bytes. */
    uint32_t pending;
    unsigned char *blob;
} example_module;

static _Thread_local char error_text[128];

static int
fail(int code, const char *text)
{
    snprintf(error_text, sizeof(error_text), "%s", text);
    return (code);
}

static const char *
last_error(plastron_key_management *km)
{
    (void)km;
    return (error_text);
}

static void
put_number(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t
get_number(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << (8 * i);
    return (number);
}

/* Toy: FNV-1a, stirred. It stands for a keyed hash. */
static uint64_t
toy_hash(uint64_t key, const unsigned char *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u ^ key;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    hash = (hash ^ (hash >> 31)) * 0x9E3779B97F4A7C15u;
    return (hash ^ (hash >> 29));
}

/* Toy: the key of a generation. */
static uint64_t
toy_key(const example_module *module, uint32_t generation)
{
    unsigned char number[4];
    put_number(number, generation, sizeof(number));
    return (toy_hash(module->secret, number, sizeof(number)));
}

/* Toy: encrypts and decrypts. */
static void
toy_cipher(uint64_t key, const unsigned char *nonce, const unsigned char *from, unsigned char *to)
{
    unsigned char block[9];
    memcpy(block, nonce, 8);
    for (size_t i = 0; i < KEY_BYTES; i += 8) {
        block[8] = (unsigned char)i;
        uint64_t stream = toy_hash(key, block, sizeof(block));
        for (size_t j = 0; j < 8; j++)
            to[i + j] = from[i + j] ^ (unsigned char)(stream >> (8 * j));
    }
}

static int
load_key_blob(plastron_key_management *km, const plastron_key_load_args *args)
{
    example_module *module = (example_module *)km;
    const unsigned char *blob = args->blob_data;
    int ret = 0;

    pthread_mutex_lock(&module->lock);
    if (module->pending != 0)
        ret = fail(EINVAL, "load_key_blob between get_key_blob and get_key_complete");
    else if (args->blob_size != BLOB_BYTES || memcmp(blob, "EXKB", 4) != 0)
        ret = fail(EBADMSG, "this is no blob of the example module");
    else if (get_number(blob + 16, 8) != toy_hash(module->secret, blob, 16))
        ret = fail(EACCES, "the blob was changed, or made with another secret");
    else {
        module->in_force = (uint32_t)get_number(blob + 4, 4);
        module->created = get_number(blob + 8, 8);
        if (module->in_force > module->known)
            module->known = module->in_force;
    }
    pthread_mutex_unlock(&module->lock);
    return (ret);
}

static int
get_key_blob(plastron_key_management *km, plastron_key_get_args *args)
{
    example_module *module = (example_module *)km;
    uint64_t now = (uint64_t)time(NULL);
    int ret = 0;

    pthread_mutex_lock(&module->lock);
    if (module->pending != 0)
        ret = fail(EINVAL, "get_key_blob again before get_key_complete");
    else if (module->in_force != 0 &&
      (module->key_expires < 0 || now < module->created + (uint64_t)module->key_expires))
        args->has_changes = 0;
    else if ((module->blob = malloc(BLOB_BYTES)) == NULL)
        ret = fail(ENOMEM, "no memory for the blob");
    else {
        /* The first key is the one that was used before there was a blob. */
        module->pending = module->in_force == 0 ? 1 : module->known + 1;
        memcpy(module->blob, "EXKB", 4);
        put_number(module->blob + 4, module->pending, 4);
        put_number(module->blob + 8, now, 8);
        put_number(module->blob + 16, toy_hash(module->secret, module->blob, 16), 8);
        args->blob_data = module->blob;
        args->blob_size = BLOB_BYTES;
        args->has_changes = 1;
    }
    pthread_mutex_unlock(&module->lock);
    return (ret);
}

static int
get_key_complete(plastron_key_management *km, plastron_key_get_args *args)
{
    example_module *module = (example_module *)km;
    int ret = 0;

    pthread_mutex_lock(&module->lock);
    if (module->pending == 0)
        ret = fail(EINVAL, "get_key_complete without get_key_blob");
    else {
        /* A failed write leaves in force what was. */
        if (args->error == 0 && args->returned_lsn != 0) {
            module->in_force = module->pending;
            module->created = get_number(module->blob + 8, 8);
            if (module->in_force > module->known)
                module->known = module->in_force;
        }
        module->pending = 0;
        free(module->blob);
        module->blob = NULL;
    }
    pthread_mutex_unlock(&module->lock);
    return (ret);
}

static int
terminate(plastron_key_management *km)
{
    example_module *module = (example_module *)km;

    free(module->blob);
    pthread_mutex_destroy(&module->lock);
    /* Toy: overwrite secrets in a way that the compiler can't leave out. */
    *(volatile uint64_t *)&module->secret = 0;
    free(module);
    return (0);
}

static int
wrap_data_key(plastron_key_management *km, plastron_data_key_args *args)
{
    example_module *module = (example_module *)km;
    unsigned char *to = args->output;
    uint32_t generation;

    if (args->input_size != KEY_BYTES || args->output_capacity < WRAPPED_BYTES)
        return (fail(EINVAL, "a data key has 32 bytes"));
    pthread_mutex_lock(&module->lock);
    generation = module->in_force == 0 ? 1 : module->in_force;
    if (generation > module->known)
        module->known = generation;
    pthread_mutex_unlock(&module->lock);

    FILE *random = fopen("/dev/urandom", "rb");
    size_t read = random == NULL ? 0 : fread(to + 8, 1, 8, random);
    if (random != NULL)
        fclose(random);
    if (read != 8)
        return (fail(EIO, "no random bytes"));

    uint64_t key = toy_key(module, generation);
    memcpy(to, "EXWK", 4);
    put_number(to + 4, generation, 4);
    toy_cipher(key, to + 8, args->input, to + 16);
    uint64_t bound = toy_hash(key, args->binding, args->binding_size);
    put_number(to + 16 + KEY_BYTES, toy_hash(bound, to, 16 + KEY_BYTES), 8);
    args->output_size = WRAPPED_BYTES;
    return (0);
}

static int
unwrap_data_key(plastron_key_management *km, plastron_data_key_args *args)
{
    example_module *module = (example_module *)km;
    const unsigned char *from = args->input;

    if (args->output_capacity < KEY_BYTES)
        return (fail(EINVAL, "a data key has 32 bytes"));
    if (args->input_size != WRAPPED_BYTES || memcmp(from, "EXWK", 4) != 0)
        return (fail(EBADMSG, "this is no data key that the example module wrapped"));
    uint32_t generation = (uint32_t)get_number(from + 4, 4);
    pthread_mutex_lock(&module->lock);
    bool known = generation != 0 && generation <= module->known;
    pthread_mutex_unlock(&module->lock);
    if (!known)
        return (fail(EACCES, "the data key is wrapped by a key of a blob that was not loaded"));

    uint64_t key = toy_key(module, generation);
    uint64_t bound = toy_hash(key, args->binding, args->binding_size);
    if (get_number(from + 16 + KEY_BYTES, 8) != toy_hash(bound, from, 16 + KEY_BYTES))
        return (fail(EBADMSG, "the wrapped data key was changed, or belongs to another object"));
    toy_cipher(key, from + 8, from + 16, args->output);
    args->output_size = KEY_BYTES;
    return (0);
}

/* The text of `name` in "a=1,b=2"; an empty one if it is not there. */
static void
setting(const char *config, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    const char *at = config;

    value[0] = '\0';
    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            size_t end = strcspn(at + length + 1, ",");
            snprintf(value, size, "%.*s", (int)end, at + length + 1);
            return;
        }
        at = strchr(at, ',');
        if (at != NULL)
            at++;
    }
}

/* The one function that is exported. */
int
plastron_key_management_open(const char *config, plastron_key_management **km)
{
    char text[128];
    example_module *module = calloc(1, sizeof(*module));

    if (module == NULL)
        return (ENOMEM);
    setting(config, "secret", text, sizeof(text));
    if (text[0] == '\0') {
        free(module);
        return (EACCES);
    }
    module->secret = toy_hash(0, (const unsigned char *)text, strlen(text));
    setting(config, "key_expires", text, sizeof(text));
    module->key_expires = text[0] == '\0' ? -1 : strtoll(text, NULL, 10);
    pthread_mutex_init(&module->lock, NULL);
    module->km.version = PLASTRON_KEY_MANAGEMENT_VERSION;
    module->km.struct_size = sizeof(plastron_key_management);
    module->km.load_key_blob = load_key_blob;
    module->km.get_key_blob = get_key_blob;
    module->km.get_key_complete = get_key_complete;
    module->km.terminate = terminate;
    module->km.wrap_data_key = wrap_data_key;
    module->km.unwrap_data_key = unwrap_data_key;
    module->km.last_error = last_error;
    *km = &module->km;
    return (0);
}
