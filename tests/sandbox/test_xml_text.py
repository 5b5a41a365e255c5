from __future__ import annotations

from sandbox.xml_text import to_xml


def test_references_attributes_and_lists_have_quickbooks_form() -> None:
    answer = {
        "Payment": {
            "CustomerRef": {"value": "3", "name": "Ada & Co"},
            "TotalAmt": 10.5,
            "ProcessPayment": False,
            "Line": [{"Amount": 1}, {"Amount": 2}],
            "LineEx": {"any": [{"value": {"Name": "txnId", "Value": "68"}}]},
            "domain": "QBO",
            "sparse": False,
            "Id": "83",
        },
        "time": "2026-11-25T06:29:06.123-08:00",
    }
    assert to_xml(answer).decode().splitlines()[1] == (
        '<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time="2026-11-25T06:29:06.123-08:00">'
        '<Payment domain="QBO" sparse="false"><CustomerRef name="Ada &amp; Co">3</CustomerRef>'
        "<TotalAmt>10.5</TotalAmt><ProcessPayment>false</ProcessPayment>"
        "<Line><Amount>1</Amount></Line><Line><Amount>2</Amount></Line>"
        "<LineEx><NameValue><Name>txnId</Name><Value>68</Value></NameValue></LineEx><Id>83</Id></Payment>"
        "</IntuitResponse>"
    )


def test_a_fault_carries_its_code_as_an_attribute() -> None:
    answer = {
        "Fault": {
            "Error": [{"Message": "m", "Detail": "d", "code": "6240", "element": ""}],
            "type": "ValidationFault",
        }
    }
    assert (
        '<Fault type="ValidationFault"><Error code="6240" element="">'
        "<Message>m</Message><Detail>d</Detail></Error></Fault>" in to_xml(answer).decode()
    )
