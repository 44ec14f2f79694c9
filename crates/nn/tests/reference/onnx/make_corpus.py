# Makes the files of tests/corpus/onnx: python make_corpus.py FOLDER, with onnx 1.16.2 and numpy.
import onnx, numpy as np, sys, os
from onnx import helper as h, TensorProto as T, numpy_helper as nh
out=sys.argv[1]; os.makedirs(out,exist_ok=True)
def save(name,nodes,inits=(),x=("N",4),xt=T.FLOAT,y="y",opset=13):
    g=h.make_graph(nodes,"g",[h.make_tensor_value_info("x",xt,x)],[h.make_tensor_value_info(y,T.FLOAT,None)],list(inits))
    m=h.make_model(g,opset_imports=[h.make_opsetid("",opset)]); m.ir_version=8
    open(f"{out}/{name}.onnx","wb").write(m.SerializeToString())
w=nh.from_array(np.ones((4,2),"f4"),"w")
fc=h.make_node("MatMul",["x","w"],["y"])
save("unknown_operator",[h.make_node("LSTM",["x","w"],["y"])],[w])
save("cyclic",[h.make_node("Add",["x","b"],["a"]),h.make_node("Relu",["a"],["b"]),h.make_node("MatMul",["b","w"],["y"])],[w])
save("dynamic_weight",[h.make_node("MatMul",["x","x"],["y"])])
huge=T(); huge.name="w"; huge.data_type=T.FLOAT; huge.dims.extend([1<<40,1<<40])
save("huge_dimensions",[fc],[huge])
short=T(); short.name="w"; short.data_type=T.FLOAT; short.dims.extend([4,2]); short.raw_data=b"\0"*8
save("short_data",[fc],[short])
neg=T(); neg.name="w"; neg.data_type=T.FLOAT; neg.dims.extend([-4,2]); neg.raw_data=b"\0"*32
save("negative_dimension",[fc],[neg])
typ=nh.from_array(np.ones((4,2),"complex64"),"w"); save("complex_weights",[fc],[typ])
ext=T(); ext.name="w"; ext.data_type=T.FLOAT; ext.dims.extend([4,2]); ext.data_location=T.EXTERNAL
e=ext.external_data.add(); e.key="location"; e.value="../../../../etc/passwd"
save("external_data_outside",[fc],[ext])
save("huge_input",[fc],[w],x=("N",1<<30,1<<30))
save("future_operator_set",[fc],[w],opset=99)
save("no_layer",[h.make_node("Identity",["x"],["y"])])
save("not_a_number",[fc],[nh.from_array(np.full((4,2),np.nan,"f4"),"w")])
save("record_twice_prepared",[h.make_node("Mul",["x","two"],["a"]),h.make_node("MatMul",["a","w"],["b"]),h.make_node("MatMul",["x","w"],["c"]),h.make_node("Add",["b","c"],["y"])],[w,nh.from_array(np.float32(2),"two")])
open(f"{out}/empty.onnx","wb").write(b"")
