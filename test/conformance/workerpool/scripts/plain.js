// A script that is also found without its ending.
import workerpool from 'workerpool'

workerpool.worker({ add: (a, b) => a + b })
