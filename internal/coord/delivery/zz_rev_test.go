package delivery
import ("testing";"time";"github.com/odradek/odradek/internal/coord/share")
func TestZZ(t *testing.T){
 for _, n := range []int64{25_000, 50_000, 100_000} {
 s, err := newState(share.PartitionState{}); if err!=nil {t.Fatal(err)}
 r := rules{maxDeliveries:5,maxInFlight:2000,lock:time.Minute}
 now := time.Now()
 s.acquire(Ask{Member:"m",BatchSize:int(n),MaxRecords:int(n)},0,[]bounds{{base:0,last:n-1}},r,now)
 var acks []Ack
 for i:=int64(0);i<n;i++ { acks=append(acks,Ack{i,i,[]int8{Accept+int8(i%2)}}) }
 b:=time.Now(); _,err=s.acknowledge("m",acks,r,now); t.Log(n,time.Since(b),err)
 w,_ := s.prepare(); t.Log(len(w.batches)); s.written(w)
 b=time.Now(); var acks2 []Ack
 s.acquire(Ask{Member:"m",BatchSize:int(n),MaxRecords:int(n)},0,[]bounds{{base:0,last:n-1}},r,now); t.Log("again",time.Since(b)); _=acks2
 acks=acks[:0]
 for i:=int64(1);i<n;i+=2 { acks=append(acks,Ack{i,i,[]int8{Accept}}) }
 b=time.Now(); _,err=s.acknowledge("m",acks,r,now); t.Log("acks2",time.Since(b),err)
 }
}
