/* SPDX-License-Identifier: ISC */
/*
 * The S3 driver.  https://docs.aws.amazon.com/AmazonS3/latest/API/
 *
 * uri, sign, cred, xml, reply, error, meta   pure parts
 * request   one signed request, its reply, its error
 * object, multipart, list, remove, probe   the store contract
 */
#ifndef TRANSFER_S3_S3_H
#define TRANSFER_S3_S3_H

#include "transfer/store.h"

extern const struct store_driver s3_driver;

#endif
