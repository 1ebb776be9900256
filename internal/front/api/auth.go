package api

// What a client may do, as bits by Kafka's numbers of the operations. There is no
// authorizer: everyone may do everything that the resource knows.
const (
	clusterOperations int32 = 1<<opCreate | 1<<opAlter | 1<<opDescribe | 1<<opClusterAction |
		1<<opDescribeConfigs | 1<<opAlterConfigs | 1<<opIdempotentWrite
	topicOperations int32 = 1<<opRead | 1<<opWrite | 1<<opCreate | 1<<opDelete | 1<<opAlter |
		1<<opDescribe | 1<<opDescribeConfigs | 1<<opAlterConfigs
	groupOperations int32 = 1<<opRead | 1<<opDelete | 1<<opDescribe | 1<<opDescribeConfigs | 1<<opAlterConfigs
)

const (
	opRead            = 3
	opWrite           = 4
	opCreate          = 5
	opDelete          = 6
	opAlter           = 7
	opDescribe        = 8
	opClusterAction   = 9
	opDescribeConfigs = 10
	opAlterConfigs    = 11
	opIdempotentWrite = 12
)
