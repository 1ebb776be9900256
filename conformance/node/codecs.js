// The codecs that kafkajs leaves to others, all without native code.
'use strict'

const { CompressionTypes } = require('kafkajs')
const SnappyCodec = require('kafkajs-snappy')
const lz4 = require('lz4js')
const { ZstdCodec } = require('zstd-codec')

const zstd = new Promise((done) => ZstdCodec.run((z) => done(new z.Streaming())))

exports.codecs = {
  [CompressionTypes.Snappy]: SnappyCodec,
  [CompressionTypes.LZ4]: () => ({
    compress: async ({ buffer }) => Buffer.from(lz4.compress(buffer)),
    decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
  }),
  [CompressionTypes.ZSTD]: () => ({
    compress: async ({ buffer }) => Buffer.from((await zstd).compress(buffer)),
    decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
  }),
}
