/*
 * The interface of a Plastron key-management module, as a shared library.
 *
 * Written by cbindgen from keys/src/plugin/abi.rs; don't edit. An example is keys/examples/key_module/example_key_module.c, the
 * guide is the page "Key management" of the book.
 */

#ifndef PLASTRON_KEY_MANAGEMENT_H
#define PLASTRON_KEY_MANAGEMENT_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the interface that this header describes.
 */
#define PLASTRON_KEY_MANAGEMENT_VERSION 1

/**
 * Arguments of load_key_blob. Set by Plastron, not changed by the module.
 */
typedef struct plastron_key_load_args {
  /**
   * The blob of the checkpoint that is being loaded. Valid during the call only.
   */
  const void *blob_data;
  /**
   * Its bytes: 1 to 16 MiB.
   */
  size_t blob_size;
} plastron_key_load_args;

/**
 * Arguments of get_key_blob and get_key_complete, which gets the same structure again. All zero before get_key_blob.
 */
typedef struct plastron_key_get_args {
  /**
   * Set by the module in get_key_blob if has_changes is true: the blob, already wrapped. It is the module's, which keeps it until
   * get_key_complete returns and may free it then.
   */
  void *blob_data;
  /**
   * Set by the module with blob_data: 1 to 16 MiB.
   */
  size_t blob_size;
  /**
   * Set by the module in get_key_blob, a boolean: whether the blob has changed since it was last loaded or completed. If 0, nothing is
   * written and get_key_complete is not called.
   */
  uint8_t has_changes;
  /**
   * Set by Plastron for get_key_complete: the LSN of the page that holds the blob, or 0 if it could not be written.
   */
  uint64_t returned_lsn;
  /**
   * Set by Plastron for get_key_complete: 0, or an errno value if the blob could not be written. The keys that were in force before still are then.
   */
  int error;
} plastron_key_get_args;

/**
 * Arguments of wrap_data_key and unwrap_data_key.
 */
typedef struct plastron_data_key_args {
  /**
   * What the data key belongs to. Bind the wrapped key to these bytes as associated data, so that it unwraps with the same bytes only.
   */
  const uint8_t *binding;
  /**
   * Bytes of the binding; 33 in this version.
   */
  size_t binding_size;
  /**
   * wrap_data_key: the data key, 32 bytes. unwrap_data_key: what wrap_data_key gave.
   */
  const uint8_t *input;
  /**
   * Bytes of the input.
   */
  size_t input_size;
  /**
   * Where the result goes. wrap_data_key: the wrapped key, in any form that names its own KEK. unwrap_data_key: the data key.
   */
  uint8_t *output;
  /**
   * Bytes that fit: 8192 for wrap_data_key, 32 for unwrap_data_key.
   */
  size_t output_capacity;
  /**
   * Set by the module: bytes of the result, at least 1; for unwrap_data_key 32.
   */
  size_t output_size;
} plastron_data_key_args;

/**
 * A key-management module: callbacks that Plastron makes.
 *
 * Every callback returns 0, or what went wrong: EACCES or EPERM for a key that is wrong, missing or not permitted, EBADMSG for bytes that
 * were damaged, ENOTSUP for a format that is too new, EINVAL for a call that is not allowed now, ENOMEM, or any other value, which counts as
 * a failure that may pass.
 *
 * load_key_blob, get_key_blob, get_key_complete and terminate are called one at a time. wrap_data_key and unwrap_data_key are called at any time
 * between open and terminate, from several threads at once, also while one of the others runs. Any thread may call. Callbacks may
 * block; they must not throw C++ exceptions or call exit. The structure itself is not changed between open and terminate.
 */
typedef struct plastron_key_management {
  /**
   * PLASTRON_KEY_MANAGEMENT_VERSION.
   */
  uint32_t version;
  /**
   * sizeof(struct plastron_key_management).
   */
  uint32_t struct_size;
  /**
   * Called when a checkpoint is loaded: at start-up of an existing database, when a follower picks up a new checkpoint, and when a
   * follower becomes the leader. The same blob may come again, and an older one. Keys of blobs that were loaded before stay usable.
   */
  int (*load_key_blob)(struct plastron_key_management *km, const struct plastron_key_load_args *args);
  /**
   * Called once in every checkpoint.
   */
  int (*get_key_blob)(struct plastron_key_management *km, struct plastron_key_get_args *args);
  /**
   * Called after a get_key_blob with has_changes, when the blob is persisted or could not be: always exactly once.
   */
  int (*get_key_complete)(struct plastron_key_management *km, struct plastron_key_get_args *args);
  /**
   * Called at the end, once; the module frees itself. May be NULL.
   */
  int (*terminate)(struct plastron_key_management *km);
  /**
   * Wraps the data key of a new object by the key in force. NULL, with unwrap_data_key, for a module that only carries blobs for an engine
   * which encrypts its pages itself.
   */
  int (*wrap_data_key)(struct plastron_key_management *km, struct plastron_data_key_args *args);
  /**
   * Gives back a data key, by whichever key wrapped it.
   */
  int (*unwrap_data_key)(struct plastron_key_management *km, struct plastron_data_key_args *args);
  /**
   * What the last failure was, in words without secrets; a line that ends with a zero byte and is valid until the next call. Called on the
   * thread on which a callback failed, right after it. May be NULL.
   */
  const char *(*last_error)(struct plastron_key_management *km);
} plastron_key_management;

/**
 * The function that a library exports, by the name plastron_key_management_open if no other is configured. `config` is what stands in the
 * brackets of the module's own config=(...), and is valid during the call only. Sets `km` and returns 0, or returns what went wrong and does not.
 */
typedef int (*plastron_key_management_open_fn)(const char *config, struct plastron_key_management **km);

#endif  /* PLASTRON_KEY_MANAGEMENT_H */
