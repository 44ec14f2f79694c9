# Makes the files of this folder: python make.py FOLDER, with onnx 1.16.2, onnxruntime 1.19.2, skl2onnx 1.17.0, scikit-learn 1.5.2.
import numpy as np, json, sys, warnings
warnings.filterwarnings("ignore")
from sklearn.datasets import load_digits, load_diabetes, load_breast_cancer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline
from skl2onnx import to_onnx
import onnxruntime as rt, onnx
out=sys.argv[1]
def go(name,m,X,y,**k):
    X=X.astype("f4"); m.fit(X,y)
    o=to_onnx(m,X[:1],target_opset={"":15,"ai.onnx.ml":1},**k)
    open(f"{out}/{name}.onnx","wb").write(o.SerializeToString())
    s=rt.InferenceSession(f"{out}/{name}.onnx")
    r=s.run(None,{s.get_inputs()[0].name:X[:20]})
    if len(r)==2:
        p=r[1]
        p=[list(map(float,d.values())) if isinstance(d,dict) else list(map(float,d)) for d in p]
        a={"x":X[:20].tolist(),"label":[str(v) for v in r[0]],"y":p}
    else: a={"x":X[:20].tolist(),"y":np.array(r[0]).reshape(20,-1).tolist()}
    json.dump(a,open(f"{out}/{name}.json","w"))
    print(name,[(n.op_type,list(n.input),list(n.output)) for n in o.graph.node])
d=load_digits(); go("digits",make_pipeline(StandardScaler(),MLPClassifier((16,),max_iter=40,random_state=1)),d.data,d.target)
d=load_digits(); go("digits_zipmap_off",make_pipeline(StandardScaler(),MLPClassifier((16,),activation="tanh",max_iter=40,random_state=1)),d.data,d.target,options={"zipmap":False})
d=load_breast_cancer(); go("cancer",make_pipeline(StandardScaler(),MLPClassifier((8,),max_iter=60,random_state=1)),d.data,np.array(["malignant","benign"])[d.target])
d=load_diabetes(scaled=False); go("diabetes",make_pipeline(StandardScaler(),MLPRegressor((8,),max_iter=300,random_state=1)),d.data,d.target)
from sklearn.linear_model import LinearRegression, LogisticRegression
d=load_breast_cancer(); go("logistic",make_pipeline(StandardScaler(),LogisticRegression()),d.data,np.array(["malignant","benign"])[d.target])
d=load_digits(); go("softmax",make_pipeline(StandardScaler(),LogisticRegression()),d.data,d.target)
d=load_diabetes(scaled=False); go("linear",make_pipeline(StandardScaler(),LinearRegression()),d.data,d.target)
