// The codecs that kafkajs leaves to others, all without native code. The one for LZ4 that
// is (lz4js) chains its blocks, which Kafka refuses, so it is not here.
'use strict'

const { CompressionTypes } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const { ZstdCodec } = require('zstd-codec')

const zstd = new Promise((done) => ZstdCodec.run((z) => done(new z.Streaming())))

exports.codecs = {
  [CompressionTypes.Snappy]: SnappyCodec,
  [CompressionTypes.ZSTD]: () => ({
    compress: async ({ buffer }) => Buffer.from((await zstd).compress(buffer)),
    decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
  }),
}
