import 'workerpool'

throw new Error('this script does not load')
