package identity

import "testing"

// FuzzProperties reads a meta.properties of any text: what is taken is the same when it is
// written and read again.
func FuzzProperties(f *testing.F) {
	f.Add(string(Properties{ClusterID: "c", NodeID: 7}.encode()))
	f.Add("#Sat Jan 01 00:00:00 UTC 2022\ncluster.id=c\nversion=0\nbroker.id=1\n")
	f.Add("version=1\nnode.id=-1\ncluster.id=c\n")
	f.Add("version=1\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n")
	f.Add("version=1\nnode.id=1\ncluster.id=a\\:b\ndirectory.id=AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse(text)
		if err != nil {
			return
		}
		if p.NodeID < 0 {
			t.Errorf("node id %d", p.NodeID)
		}
		if again, err := parse(string(p.encode())); err != nil || again != p {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}
