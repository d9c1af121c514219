// Registers its methods some time after it was loaded: calls wait for that.
import workerpool from 'workerpool'

setTimeout(() => workerpool.worker({ add: (a, b) => a + b }), 50)
