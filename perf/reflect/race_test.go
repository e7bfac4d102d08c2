package reflect

import _ "nave/testbed/raceless" // several of GoBGP's servers run in a test
