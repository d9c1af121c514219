// CommonJS: a worker that is a module loads too late, and misses the pool's first message.
const { ClusterWorker } = require('poolifier')
const { burn, ends, noop } = require('../tasks.mjs')

module.exports = new ClusterWorker({ burn, ends, noop })
