#include "kernels.h"
#include "networks.h"
