//! What crosses the modules of `plastron-config`: tables of good and bad texts, secrets, properties against plain models.

mod bad_texts;
mod documentation;
mod good_texts;
mod lenient;
mod properties;
mod schemas;
mod secrets;
mod urls;
